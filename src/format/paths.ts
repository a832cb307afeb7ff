import type { ByteString } from '../bytes.js';
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
  const heap = reader.byteString(restTotal);
  const paths = new Array<ByteString>(count);
  let before = '' as ByteString;
  let position = 0;
  for (let i = 0; i < count; i++) {
    const keep = shared[i]!;
    if (keep > before.length || (i === 0 && keep > 0)) reader.fail('a path shares more than there is');
    const path = joinPath(before, keep, heap, position, position + rest[i]!);
    position += rest[i]!;
    if (!isCleanFrom(path, keep)) reader.fail('a path is not clean');
    if (i > 0 && !follows(before, path, keep, order.allowEqual)) reader.fail('paths are not in order');
    paths[i] = path;
    before = path;
  }
  return paths;
}

function joinPath(before: string, keep: number, heap: string, start: number, end: number): ByteString {
  if (keep === 0) return heap.slice(start, end) as ByteString;
  return (before.slice(0, keep) + heap.slice(start, end)) as ByteString;
}

/** Whether `path`, whose first `keep` bytes are all that it shares with `before`, comes after it. */
function follows(before: string, path: string, keep: number, allowEqual: boolean): boolean {
  if (keep === path.length) return allowEqual && keep === before.length;
  if (keep === before.length) return true;
  const x = before.charCodeAt(keep);
  const y = path.charCodeAt(keep);
  if (x === y) return false;
  return x === SLASH || (y !== SLASH && x < y);
}

/** Whether the components that reach beyond `from` are clean; what lies before was checked with the path before. */
function isCleanFrom(path: string, from: number): boolean {
  const length = path.length;
  // The component that `from` falls into begins after the last slash before it.
  let start = from === 0 ? 0 : path.lastIndexOf('/', from - 1) + 1;
  if (length === 0) return true;
  for (let i = from; i <= length; i++) {
    const code = i === length ? SLASH : path.charCodeAt(i);
    if (code === 0) return false;
    if (code !== SLASH) continue;
    const size = i - start;
    if (size === 0) return false;
    if (size <= 2 && path.charCodeAt(start) === DOT && path.charCodeAt(i - 1) === DOT) return false;
    start = i + 1;
  }
  return true;
}

/** Whether a path is as `Entry.path` demands. */
export function isCleanPath(path: ByteString): boolean {
  return path.length <= MAX_PATH && isCleanFrom(path, 0);
}

export function sharedLength(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let i = 0;
  while (i < shorter && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i;
}
