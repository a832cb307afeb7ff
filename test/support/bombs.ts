/** Small blobs that unfold to gigabytes of zeros behind given bytes. */
import { createHash } from 'node:crypto';
import { constants, crc32, deflateRawSync } from 'node:zlib';
import type { PackedLayer } from './layout-builder.js';
import { type Block, makeFrame } from './zstd.js';

const PIECE = 16 << 20;

function sha256OfZeros(head: Uint8Array, pieces: number): string {
  const hash = createHash('sha256').update(head);
  const zeros = Buffer.alloc(PIECE);
  for (let i = 0; i < pieces; i++) hash.update(zeros);
  return `sha256:${hash.digest('hex')}`;
}

/** One gzip member: `head`, then `pieces` × 16 MiB of zeros, about a thousandth of that in size. */
export function gzipBomb(head: Uint8Array, pieces: number): PackedLayer {
  const zeros = Buffer.alloc(PIECE);
  // A flushed stream without a final block ends at a byte, so copies of it can follow one another.
  const flushed = (bytes: Uint8Array) =>
    deflateRawSync(bytes, { level: 9, finishFlush: constants.Z_SYNC_FLUSH });
  const piece = flushed(zeros);
  let crc = crc32(head);
  for (let i = 0; i < pieces; i++) crc = crc32(zeros, crc);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE((head.length + pieces * PIECE) >>> 0, 4);
  const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  const final = Buffer.from([3, 0]);
  return {
    blob: Buffer.concat([
      header,
      flushed(head),
      ...Array.from({ length: pieces }, () => piece),
      final,
      trailer,
    ]),
    diffId: sha256OfZeros(head, pieces),
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  };
}

/** One zstd frame: the same in four bytes for 128 KiB. `head`: at most 128 KiB. */
export function zstdBomb(head: Uint8Array, pieces: number): PackedLayer {
  const blocks: Block[] = [{ raw: head }];
  for (let i = 0; i < pieces * (PIECE >> 17); i++) blocks.push({ zeros: 1 << 17 });
  return {
    blob: makeFrame(blocks),
    diffId: sha256OfZeros(head, pieces),
    mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
  };
}
