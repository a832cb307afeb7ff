import { crc32, deflateRawSync } from 'node:zlib';
import * as pako from 'pako';
import { layerLikeBytes } from '../../support/gzip-layers.js';
import { checkGzip } from '../check-gzip.js';
import { randomDeflate } from '../deflate-stream.js';
import { inflateRaw } from '../gzip-oracle.js';
import { mutateBytes } from '../mutate-bytes.js';
import { createRandom, hashOf } from '../random.js';
import type { Target } from '../target.js';

/**
 * Raw DEFLATE streams, put into a gzip member with the right checksum so that only the stream itself decides. Oracles: Node's zlib
 * always, pako where asked to be thorough.
 */
export function inflateTarget(): Target {
  return {
    name: 'inflate',
    code: ['inflate/gzip/'],
    seeds: () => [
      deflateRawSync('a'),
      deflateRawSync(layerLikeBytes(3000, 1), { level: 9 }),
      deflateRawSync(layerLikeBytes(200_000, 2), { level: 6, memLevel: 1 }),
      deflateRawSync(layerLikeBytes(2000, 3), { level: 0 }),
      deflateRawSync(layerLikeBytes(2000, 4), { strategy: 4 }),
      deflateRawSync(Buffer.alloc(1_000_000)),
      ...Array.from({ length: 20 }, (_, i) => randomDeflate(createRandom(i))),
    ],
    mutate(input, other, random) {
      if (random.oneIn(4)) {
        const fresh = randomDeflate(random);
        return random.oneIn(2) ? fresh : mutateBytes(fresh, other, random);
      }
      return mutateBytes(input, other, random);
    },
    run(input, thorough) {
      const inflated = inflateRaw(input);
      if (inflated === 'large') return 'refused';
      if (thorough) comparePako(input, inflated?.bytes);
      const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
      if (inflated === undefined) {
        return checkGzip(Buffer.concat([head, input]), { plain: undefined, trailing: 0 }, hashOf(input));
      }
      const { bytes, consumed } = inflated;
      const trailer = Buffer.alloc(8);
      trailer.writeUInt32LE(crc32(bytes), 0);
      trailer.writeUInt32LE(bytes.length, 4);
      const blob = Buffer.concat([head, input.subarray(0, consumed), trailer]);
      return checkGzip(blob, { plain: bytes, trailing: 0 }, hashOf(input));
    },
  };
}

/** The oracles must agree with each other, or none of them is one. */
function comparePako(input: Uint8Array, expected: Buffer | undefined): void {
  const pieces: Uint8Array[] = [];
  const inflate = new pako.Inflate({ raw: true });
  inflate.onData = (chunk) => void pieces.push(Uint8Array.from(chunk as Uint8Array));
  let isDone = false;
  inflate.onEnd = (status) => {
    isDone = (status as number) === 0;
  };
  inflate.push(input, true);
  const plain = isDone ? Buffer.concat(pieces) : undefined;
  if (plain === undefined ? expected !== undefined : !expected?.equals(plain))
    throw new Error(`pako and zlib disagree: ${plain?.length} and ${expected?.length} bytes`);
}
