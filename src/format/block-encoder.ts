import { deflateSync } from 'fflate';
import { check } from './corrupt.js';
import { MAX_BLOCK } from './limits.js';
import type { EncodedBlock } from './section.js';

/**
 * fflate, not Node's zlib: Node bundles Chromium's zlib, whose output depends on the CPU and changes between releases, and an
 * index must be the same bytes wherever it is built. fflate is plain JavaScript, and package.json pins it to one version.
 */
/** Half the time of level 9, for 0.1 % more bytes of windows and 0.5 % of entries (docs/format.md, section 10). */
const LEVEL = 5;

/** Compresses one block; stores it raw when that is not smaller. */
export function encodeBlock(decoded: Uint8Array, items: number, key = 0): EncodedBlock {
  check(decoded.length >= 1 && decoded.length <= MAX_BLOCK, `block of ${decoded.length} bytes`);
  const deflated = deflateSync(decoded, { level: LEVEL });
  const stored = deflated.length < decoded.length ? deflated : Uint8Array.from(decoded);
  return { stored, decodedLength: decoded.length, items, key };
}

/** Cuts a byte stream (manifest, config, extras) into blocks. */
export function encodeBytes(bytes: Uint8Array, blockSize = MAX_BLOCK): EncodedBlock[] {
  const blocks: EncodedBlock[] = [];
  for (let start = 0; start < bytes.length; start += blockSize) {
    blocks.push(encodeBlock(bytes.subarray(start, start + blockSize), 0));
  }
  return blocks;
}
