import { type ByteString, byteStringToBytes } from '../bytes.js';
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { MAX_BLOCK_PATHS, MAX_PATH } from './limits.js';

/**
 * Front-coded paths: each is told as the length of the prefix that it shares with the one before it, and the rest. Three
 * columns: shared lengths, rest lengths, rests. The first of a block shares nothing, so a block is decoded alone.
 */

const SLASH = 0x2f;
const DOT = 0x2e;

/** `allowEqual`: the same path may follow itself (duplicates in a layer's tar). */
export interface PathOrder {
  allowEqual: boolean;
}

export function writePaths(out: ByteWriter, paths: readonly ByteString[]): void {
  const shared = paths.map((path, i) => (i === 0 ? 0 : sharedLength(paths[i - 1]!, path)));
  for (const length of shared) out.varint(length);
  paths.forEach((path, i) => {
    out.varint(path.length - shared[i]!);
  });
  paths.forEach((path, i) => {
    out.byteString(path.slice(shared[i]) as ByteString);
  });
}

/**
 * Reads `count` paths and checks that each is clean (no empty, `.` or `..` component, no NUL, no slash at either end), that they
 * ascend in the order of `comparePaths`, that the shared prefixes are as long as they can be, and that all together are at most
 * MAX_BLOCK_PATHS bytes.
 */
export function readPaths(reader: ByteReader, count: number, order: PathOrder): ByteString[] {
  const shared = new Uint16Array(count);
  for (let i = 0; i < count; i++) shared[i] = reader.upTo(MAX_PATH, 'shared length');
  const rest = new Uint16Array(count);
  let total = 0;
  let restTotal = 0;
  for (let i = 0; i < count; i++) {
    const length = reader.upTo(MAX_PATH, 'length of a path');
    rest[i] = length;
    restTotal += length;
    total += shared[i]! + length;
    if (shared[i]! + length > MAX_PATH) reader.fail('a path is too long');
  }
  if (total > MAX_BLOCK_PATHS) reader.fail(`${total} bytes of paths`);
  const rests = reader.take(restTotal);
  const paths = new Array<ByteString>(count);
  // The path at hand, byte by byte: each overwrites what it does not share with the one before.
  const path = Buffer.allocUnsafe(MAX_PATH);
  let from = 0;
  let before = 0;
  for (let i = 0; i < count; i++) {
    const keep = shared[i]!;
    const to = from + rest[i]!;
    const length = keep + rest[i]!;
    if (keep > before) reader.fail('a path shares more than there is');
    if (i > 0 && !follows(path, before, { keep, length, next: rests[from]!, allowEqual: order.allowEqual })) {
      reader.fail('paths are not in order');
    }
    rests.copy(path, keep, from, to);
    if (!isCleanFrom(path, keep, length)) reader.fail('a path is not clean');
    paths[i] = path.toString('latin1', 0, length) as ByteString;
    from = to;
    before = length;
  }
  return paths;
}

/**
 * Whether a path of `length` bytes comes after `before`, of `beforeLength` bytes, when it shares its first `keep` bytes with it,
 * no more, and goes on with the byte `next`.
 */
function follows(
  before: Uint8Array,
  beforeLength: number,
  { keep, length, next, allowEqual }: { keep: number; length: number; next: number; allowEqual: boolean },
): boolean {
  if (keep === length) return allowEqual && keep === beforeLength;
  if (keep === beforeLength) return true;
  const last = before[keep]!;
  if (last === next) return false;
  return last === SLASH || (next !== SLASH && last < next);
}

/**
 * Whether the components that reach beyond byte `from` of a path are clean; what lies before was checked with the path before.
 */
function isCleanFrom(path: Uint8Array, from: number, length: number): boolean {
  if (length === 0) return true;
  // Where the component that `from` falls into begins.
  let start = from;
  while (start > 0 && path[start - 1] !== SLASH) start--;
  for (let i = from; i <= length; i++) {
    const byte = i === length ? SLASH : path[i];
    if (byte === 0) return false;
    if (byte !== SLASH) continue;
    const size = i - start;
    if (size === 0) return false;
    if (size <= 2 && path[start] === DOT && path[i - 1] === DOT) return false;
    start = i + 1;
  }
  return true;
}

/** Whether a path is as `Entry.path` demands. */
export function isCleanPath(path: ByteString): boolean {
  return path.length <= MAX_PATH && isCleanFrom(byteStringToBytes(path), 0, path.length);
}

export function sharedLength(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let i = 0;
  while (i < shorter && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i;
}
