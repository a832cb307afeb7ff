import { inflateRawSync } from 'node:zlib';
import { corruptIndex } from './corrupt.js';
import { sha256 } from './digest.js';
import type { Stream } from './section.js';

/** Checks a block's stored bytes against their digest, and only then inflates them, to exactly the announced length. */
export function openBlock(
  bytes: Uint8Array,
  { stream, index, where }: { stream: Stream; index: number; where: string },
): Buffer {
  const stored = stream.stored[index]!;
  const decoded = stream.decoded[index]!;
  const at = stream.digestAt[index]!;
  const digest = stream.directory.subarray(at, at + 32);
  if (bytes.length !== stored || !sha256(bytes).equals(digest)) {
    throw corruptIndex(where, 'it does not match its digest');
  }
  // A copy, because the source may reuse its buffer, or a view would retain all of it.
  return stored === decoded ? Buffer.from(bytes) : inflate(bytes, decoded, where);
}

function inflate(stored: Uint8Array, decoded: number, where: string): Buffer {
  try {
    // @types/node does not know the result of `info: true`.
    const { buffer, engine } = inflateRawSync(stored, {
      maxOutputLength: decoded,
      chunkSize: Math.max(64, decoded + 1),
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (buffer.length === decoded && engine.bytesWritten === stored.length) return buffer;
  } catch (error) {
    throw corruptIndex(where, 'it does not inflate', error);
  }
  throw corruptIndex(where, `it does not inflate to ${decoded} bytes`);
}
