import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import { layerLikeBytes } from '../../support/gzip-layers.js';
import { checkGzip } from '../check-gzip.js';
import { randomDeflate } from '../deflate-stream.js';
import { inflateRaw, readGzip } from '../gzip-oracle.js';
import { mutateBytes } from '../mutate-bytes.js';
import { createRandom, hashOf, type Random } from '../random.js';
import type { Target } from '../target.js';

/** Whole gzip blobs: headers, members, trailers, what follows. Oracles: a plain reader over Node's zlib, and gunzip of Node itself. */
export function gzipTarget(): Target {
  return {
    name: 'gzip',
    code: ['inflate/gzip/'],
    seeds: () => [
      gzipSync(layerLikeBytes(2000, 1)),
      gzipSync(''),
      Buffer.concat([gzipSync('one'), gzipSync(''), gzipSync('two'), Buffer.alloc(9)]),
      Buffer.concat([gzipSync(Buffer.alloc(300_000)), gzipSync(layerLikeBytes(150_000, 5)).subarray(0)]),
      Buffer.concat([
        ...Array.from({ length: 12 }, (_, i) => gzipSync(Buffer.alloc(40_000, i))),
        Buffer.from('x'),
      ]),
      ...Array.from({ length: 6 }, (_, i) => randomMember(createRandom(i))),
    ],
    mutate(input, other, random) {
      const pieces: Buffer[] = [mutateBytes(input, other, random)];
      if (random.oneIn(8)) pieces.push(randomMember(random));
      if (random.oneIn(16)) pieces.unshift(randomMember(random));
      const blob = Buffer.concat(pieces);
      // Mended trailers let the damage through to what lies behind them.
      if (!random.oneIn(4)) readGzip(blob, true);
      return blob;
    },
    run(input, thorough) {
      const blob = Buffer.from(input);
      const { members, trailing, valid, large } = readGzip(blob);
      if (large) return 'refused';
      const plain = valid ? Buffer.concat(members.map(({ bytes }) => bytes)) : undefined;
      if (plain && trailing === 0 && thorough && !gunzipSync(blob).equals(plain))
        throw new Error('the oracles disagree');
      return checkGzip(blob, { plain, trailing }, hashOf(input));
    },
  };
}

/** A member with any of the optional header fields. */
function randomMember(random: Random): Buffer {
  const flags = random.below(32);
  const text = () => Buffer.concat([Buffer.alloc(random.below(20), 'n'), Buffer.alloc(1)]);
  const parts: Buffer[] = [
    Buffer.from([0x1f, 0x8b, 8, flags, 1, 2, 3, 4, random.below(256), random.below(256)]),
  ];
  if (flags & 4) {
    const extra = random.bytes(random.below(40));
    parts.push(Buffer.from([extra.length, 0]), extra);
  }
  if (flags & 8) parts.push(text());
  if (flags & 16) parts.push(text());
  if (flags & 2) {
    const sum = crc32(Buffer.concat(parts)) & 0xffff;
    parts.push(Buffer.from([sum & 0xff, sum >> 8]));
  }
  const body = randomDeflate(random);
  const inflated = inflateRaw(body);
  const trailer = Buffer.alloc(8);
  if (inflated !== undefined && inflated !== 'large') {
    trailer.writeUInt32LE(crc32(inflated.bytes), 0);
    trailer.writeUInt32LE(inflated.bytes.length, 4);
  }
  return Buffer.concat([...parts, body, trailer]);
}
