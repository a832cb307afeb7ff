/** One header block of 512 bytes: its checksum, its dialect, and the fields that every dialect has (POSIX ustar, GNU, star, v7). */
import type { ByteString } from '../bytes.js';
import { cleanPathBytes } from './clean-path.js';
import { readNumber } from './number.js';

export const BLOCK = 512;

/** A block in memory of its own, which is also seen as words so that checks take 128 steps and not 512. */
export interface HeaderBlock {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
}

export function createHeaderBlock(): HeaderBlock {
  const memory = new ArrayBuffer(BLOCK);
  return { bytes: Buffer.from(memory), words: new Uint32Array(memory) };
}

export function isZeroBlock({ words }: HeaderBlock): boolean {
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}

const CHECKSUM = 148;

/** Whether the checksum field holds the sum of all bytes, the field itself counted as blanks; old writers summed signed bytes. */
export function checksumHolds({ bytes, words }: HeaderBlock): boolean {
  const stored = readNumber(bytes, CHECKSUM, 8);
  // Two sums of 16 bits side by side: 256 bytes of at most 255 each stay under 65,536.
  let pairs = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    pairs = (pairs + (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff)) | 0;
  }
  let sum = (pairs >>> 16) + (pairs & 0xffff) + 8 * 0x20;
  for (let i = CHECKSUM; i < CHECKSUM + 8; i++) sum -= bytes[i]!;
  return sum === stored || sum - 256 * countHighBytes(bytes) === stored;
}

function countHighBytes(bytes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i]! >= 0x80 && (i < CHECKSUM || i >= CHECKSUM + 8)) count++;
  }
  return count;
}

/** v7 has neither owner names nor devices nor a prefix; star's prefix is shorter; old GNU has other fields in the prefix's place. */
export type Dialect = 'v7' | 'ustar' | 'star' | 'gnu';

export function dialectOf(bytes: Buffer): Dialect {
  // 'ustar' at 257
  if (bytes[257] !== 0x75 || bytes[258] !== 0x73 || bytes[259] !== 0x74) return 'v7';
  if (bytes[260] !== 0x61 || bytes[261] !== 0x72) return 'v7';
  if (bytes[262] === 0) return isStar(bytes) ? 'star' : 'ustar';
  return bytes[262] === 0x20 && bytes[263] === 0x20 && bytes[264] === 0 ? 'gnu' : 'v7';
}

/** star signs with 'tar\0' at 508 (what Go looks at), or shows by its atime and ctime inside the prefix (what GNU tar looks at). */
function isStar(bytes: Buffer): boolean {
  if (bytes[508] === 0x74 && bytes[509] === 0x61 && bytes[510] === 0x72 && bytes[511] === 0) return true;
  return bytes[475] === 0 && isStarTime(bytes, 476) && isStarTime(bytes, 488);
}

function isStarTime(bytes: Buffer, at: number): boolean {
  return bytes[at]! >= 0x30 && bytes[at]! <= 0x37 && bytes[at + 11] === 0x20;
}

/** Where the text that begins at `at` ends: at a NUL or after `length` bytes. */
function textEnd(bytes: Buffer, at: number, length: number): number {
  const end = at + length;
  while (at < end && bytes[at] !== 0) at++;
  return at;
}

const scratch = Buffer.alloc(256);

export interface Name {
  path: ByteString;
  /** Whether the name ended with a slash: how v7 marks a directory. */
  slash: boolean;
}

/** The header's own name, cleaned, prefix included. */
export function headerName(bytes: Buffer, dialect: Dialect): Name {
  const nameEnd = textEnd(bytes, 0, 100);
  const slash = nameEnd > 0 && bytes[nameEnd - 1] === 0x2f;
  const prefix = bytes[345] === 0 || dialect === 'v7' ? 0 : prefixLength(bytes, dialect);
  if (prefix === 0) return { path: cleanPathBytes(bytes, 0, nameEnd), slash };
  bytes.copy(scratch, 0, 345, 345 + prefix);
  scratch[prefix] = 0x2f;
  bytes.copy(scratch, prefix + 1, 0, nameEnd);
  return { path: cleanPathBytes(scratch, 0, prefix + 1 + nameEnd), slash };
}

function prefixLength(bytes: Buffer, dialect: Dialect): number {
  if (dialect === 'star') return textEnd(bytes, 345, 131) - 345;
  const length = textEnd(bytes, 345, 155) - 345;
  if (dialect !== 'gnu') return length;
  // Old GNU keeps atime and ctime here. Go before 1.8, and so the Docker of its day, wrote a prefix into GNU headers where the size
  // or an id needed base 256; as today's Go does, the field is a prefix if it is ASCII and cannot be those two times.
  if (!Number.isNaN(readNumber(bytes, 345, 12)) && !Number.isNaN(readNumber(bytes, 357, 12))) return 0;
  for (let i = 345; i < 345 + length; i++) if (bytes[i]! >= 0x80) return 0;
  return length;
}

/** The link field, as written. */
export function headerLink(bytes: Buffer): ByteString {
  const end = textEnd(bytes, 157, 100);
  return bytes.toString('latin1', 157, end) as ByteString;
}

/**
 * The owner's name at 265 or the group's at 297. Neighbouring entries mostly have the same one: `last` is given back where it
 * still holds, so that a million entries share one string.
 */
export function headerOwner(bytes: Buffer, at: 265 | 297, last: ByteString): ByteString {
  const length = last.length;
  if (length === 32 || bytes[at + length] === 0) {
    let i = 0;
    while (i < length && bytes[at + i] === last.charCodeAt(i)) i++;
    if (i === length) return last;
  }
  return bytes.toString('latin1', at, textEnd(bytes, at, 32)) as ByteString;
}
