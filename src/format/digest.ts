import { hash } from 'node:crypto';
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { check } from './corrupt.js';

/** Digest algorithms with their number in the format and their bytes. */
const ALGORITHMS = [
  ['sha256', 1, 32],
  ['sha512', 2, 64],
] as const;

export function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}

/** Writes `algorithm:hex` as the algorithm's number and the raw bytes. */
export function writeDigest(out: ByteWriter, digest: string): void {
  const [name, hex = ''] = digest.split(':');
  const known = ALGORITHMS.find(([algorithm]) => algorithm === name);
  check(known !== undefined && /^[0-9a-f]+$/.test(hex) && hex.length === known[2] * 2, `digest ${digest}`);
  out.u8(known[1]);
  out.bytes(Buffer.from(hex, 'hex'));
}

export function readDigest(reader: ByteReader): string {
  const number = reader.u8();
  const known = ALGORITHMS.find(([, code]) => code === number);
  if (!known) return reader.fail(`digest algorithm ${number}`);
  return `${known[0]}:${reader.take(known[2]).toString('hex')}`;
}
