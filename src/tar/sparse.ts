/**
 * The four ways in which GNU tar writes sparse files (GNU tar manual, 'Sparse Formats'): old GNU (type `S`, map in the header
 * and in extension blocks), PAX 0.0 (repeated records), PAX 0.1 (one record), PAX 1.0 (map ahead of the data).
 */
import type { ByteString } from '../bytes.js';
import { Extents } from '../tree/extents.js';
import { readDecimal, readNumber } from './number.js';
import type { PaxRecord } from './pax.js';
import { corruptTar, tarLimit } from './tar-error.js';

/** A sparse map as written: offset and length of each run, in turn. */
export type SparseMap = number[];

/**
 * The extents of a map whose data begin at tar offset `dataStart`. The runs must ascend without overlap inside the logical size,
 * and account for exactly the `stored` bytes. Throws CORRUPT_TAR at `at`.
 */
export function toExtents(
  map: SparseMap,
  file: { size: number; stored: number; dataStart: number },
  at: number,
): Extents {
  const numbers = new Float64Array((map.length / 2) * 3);
  let filled = 0;
  let reached = 0;
  let used = 0;
  for (let i = 0; i < map.length; i += 2) {
    const logical = map[i]!;
    const length = map[i + 1]!;
    if (logical < reached || length > file.size - logical) {
      throw corruptTar('a sparse map whose runs overlap or leave the file', at);
    }
    reached = logical + length;
    if (length > 0) {
      numbers[filled++] = logical;
      numbers[filled++] = file.dataStart + used;
      numbers[filled++] = length;
    }
    used += length;
  }
  if (used !== file.stored) throw corruptTar('a sparse map that does not match the stored size', at);
  return new Extents(numbers.slice(0, filled));
}

/**
 * Adds the runs of an old GNU header (4 at 386) or extension block (21 at 0) to `map`; an entry whose offset begins with NUL ends
 * them. Returns whether another extension block follows. Throws CORRUPT_TAR, LIMIT.
 */
export function readOldGnuMap(
  block: Buffer,
  kind: 'header' | 'extension',
  into: { map: SparseMap; limit: number; at: number },
): boolean {
  const [from, count, more] = kind === 'header' ? [386, 4, 482] : [0, 21, 504];
  for (let i = 0; i < count; i++) {
    const field = from + i * 24;
    if (block[field] === 0) break;
    const offset = readNumber(block, field, 12);
    const length = readNumber(block, field + 12, 12);
    if (!(offset >= 0 && length >= 0)) throw corruptTar('a sparse map with a bad number', into.at);
    if (into.map.length >= into.limit * 2) throw tarLimit('too many runs in a sparse file', into.at);
    into.map.push(offset, length);
  }
  return block[more] !== 0;
}

/** What the PAX records say of a sparse file. */
export interface PaxSparse {
  name: ByteString | undefined;
  /** Logical size, bytes. */
  size: number | undefined;
  /** The map; undefined where it lies ahead of the data (1.0). */
  map: SparseMap | undefined;
}

const PREFIX = 'GNU.sparse.';

/** Reads `GNU.sparse.*`; undefined where there are none that make the file sparse. Throws CORRUPT_TAR, LIMIT. */
export function readPaxSparse(
  records: readonly PaxRecord[],
  limit: number,
  at: number,
): PaxSparse | undefined {
  const fields = new Map<string, ByteString>();
  const runs: SparseMap = [];
  for (const [key, value] of records) {
    if (!key.startsWith(PREFIX)) continue;
    const name = key.slice(PREFIX.length);
    if (name === 'offset' || name === 'numbytes') {
      // 0.0 repeats the pair, which POSIX forbids: here the order of records is the map.
      if ((runs.length % 2 === 0) !== (name === 'offset')) throw corruptTar('a sparse map out of order', at);
      runs.push(mapNumber(value, at));
    } else fields.set(name, value);
  }
  if (runs.length === 0 && fields.size === 0) return undefined;
  const name = fields.get('name') || undefined;
  if (name?.includes('\0')) throw corruptTar('a sparse name with a NUL', at);
  const sizeText = fields.get('realsize') ?? fields.get('size');
  const size = sizeText === undefined ? undefined : mapNumber(sizeText, at);
  const major = fields.get('major') ?? '0';
  const minor = fields.get('minor') ?? '0';
  if (major === '1' && minor === '0') return { name, size, map: undefined };
  if (major !== '0' || (minor !== '0' && minor !== '1')) {
    throw corruptTar('a sparse file of an unknown version', at);
  }
  const list = fields.get('map');
  const map = list === undefined ? runs : list === '' ? [] : list.split(',').map((n) => mapNumber(n, at));
  if (map.length > limit * 2) throw tarLimit('too many runs in a sparse file', at);
  const blocks = fields.get('numblocks');
  if (map.length % 2 !== 0 || (blocks !== undefined && mapNumber(blocks, at) * 2 !== map.length)) {
    throw corruptTar('a sparse map with missing numbers', at);
  }
  // A size alone (as GNU.sparse.name with no map) makes no sparse file.
  if (list === undefined && blocks === undefined && runs.length === 0) return undefined;
  return { name, size, map };
}

function mapNumber(text: string, at: number): number {
  const number = readDecimal(text);
  if (Number.isNaN(number)) throw corruptTar('a sparse map with a bad number', at);
  return number;
}

export interface SparseMapReader {
  readonly map: SparseMap;
  /** The next 512 bytes of data. True when the map is complete; what is left of the block is padding. */
  block(bytes: Buffer, at: number): boolean;
}

/** Reads a PAX 1.0 map: the number of runs, then offset and length of each, decimal, each ended by a newline. */
export function createSparseMapReader(limit: number): SparseMapReader {
  const map: SparseMap = [];
  let wanted = -1;
  let digits = '';
  return {
    map,
    block(bytes, at) {
      for (let i = 0; i < bytes.length; i++) {
        if (bytes[i] !== 0x0a) {
          if (digits.length >= 20) throw corruptTar('a sparse map with a bad number', at);
          digits += String.fromCharCode(bytes[i]!);
          continue;
        }
        const number = mapNumber(digits, at);
        digits = '';
        if (wanted < 0) {
          if (number > limit) throw tarLimit('too many runs in a sparse file', at);
          wanted = number * 2;
        } else map.push(number);
        if (map.length === wanted) return true;
      }
      return false;
    },
  };
}
