/** gzip (RFC 1952) as slowly and plainly as can be, over Node's zlib: what the scan is held against. */

import { constants, crc32, inflateRawSync } from 'node:zlib';

export interface Inflated {
  bytes: Buffer;
  /** Input bytes that it took. */
  consumed: number;
}

/** Output beyond which an input is left alone. */
export const MOST_OUTPUT = 4 << 20;

/** The raw DEFLATE stream that `input` begins with; undefined where zlib refuses it; 'large' where it yields too much. */
export function inflateRaw(input: Uint8Array): Inflated | 'large' | undefined {
  try {
    // @types/node does not know the result of `info: true`.
    const { buffer, engine } = inflateRawSync(input, {
      maxOutputLength: MOST_OUTPUT,
      finishFlush: constants.Z_FINISH,
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    return { bytes: buffer, consumed: engine.bytesWritten };
  } catch (error) {
    return (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? 'large' : undefined;
  }
}

export interface Member {
  /** Offset of the eight bytes of CRC and length. */
  trailer: number;
  bytes: Buffer;
}

export interface GzipResult {
  members: Member[];
  /** Bytes behind the last member that are none. */
  trailing: number;
  /** All is as it should be. */
  valid: boolean;
  large: boolean;
}

/** Walks the members; stops at the first damage. With `mend`, CRCs and lengths are written right instead of compared. */
export function readGzip(blob: Buffer, mend = false): GzipResult {
  const members: Member[] = [];
  let at = 0;
  const result = (valid: boolean, large = false): GzipResult => ({
    members,
    trailing: valid ? blob.length - at : 0,
    valid,
    large,
  });
  for (;;) {
    const isMember = blob[at] === 0x1f && blob[at + 1] === 0x8b;
    if (at > 0 && !isMember) return result(true);
    const body = headerEnd(blob, at);
    if (body === undefined) return result(false);
    const inflated = inflateRaw(blob.subarray(body));
    if (inflated === 'large') return result(false, true);
    if (inflated === undefined) return result(false);
    const trailer = body + inflated.consumed;
    if (trailer + 8 > blob.length) return result(false);
    const crc = crc32(inflated.bytes);
    if (mend) {
      blob.writeUInt32LE(crc, trailer);
      blob.writeUInt32LE(inflated.bytes.length, trailer + 4);
    } else if (
      blob.readUInt32LE(trailer) !== crc ||
      blob.readUInt32LE(trailer + 4) !== inflated.bytes.length
    ) {
      return result(false);
    }
    members.push({ trailer, bytes: inflated.bytes });
    at = trailer + 8;
  }
}

/** Where the member's body begins; undefined for a header that is cut off or not valid. */
function headerEnd(blob: Buffer, start: number): number | undefined {
  const [id1, id2, method, flags = 0] = blob.subarray(start, start + 4);
  if (id1 !== 0x1f || id2 !== 0x8b || method !== 8 || flags & 0xe0) return undefined;
  let at = start + 10;
  if (at > blob.length) return undefined;
  if (flags & 4) {
    if (at + 2 > blob.length) return undefined;
    at += 2 + blob.readUInt16LE(at);
  }
  for (const flag of [8, 16]) {
    if (!(flags & flag)) continue;
    const zero = at > blob.length ? -1 : blob.indexOf(0, at);
    if (zero < 0) return undefined;
    at = zero + 1;
  }
  if (flags & 2) {
    if (at + 2 > blob.length) return undefined;
    if (blob.readUInt16LE(at) !== (crc32(blob.subarray(start, at)) & 0xffff)) return undefined;
    at += 2;
  }
  return at > blob.length ? undefined : at;
}
