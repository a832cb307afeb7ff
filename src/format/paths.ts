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
  // All paths one after the other: one string is made of them, and each path is a view of it. A string for each costs twice the time.
  const all = Buffer.allocUnsafe(total);
  let from = 0;
  let start = 0;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const keep = shared[i]!;
    const before = start;
    if (keep > end - start) reader.fail('a path shares more than there is');
    start = end;
    all.copyWithin(start, before, before + keep);
    const added = start + keep;
    rests.copy(all, added, from, from + rest[i]!);
    from += rest[i]!;
    end = added + rest[i]!;
    if (i > 0 && !follows(all, { before, start, keep, end, allowEqual: order.allowEqual })) {
      reader.fail('paths are not in order');
    }
    if (!isCleanFrom(all, { start, from: added, end })) reader.fail('a path is not clean');
  }
  const text = all.toString('latin1');
  const paths = new Array<ByteString>(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const next = at + shared[i]! + rest[i]!;
    paths[i] = text.slice(at, next) as ByteString;
    at = next;
  }
  return paths;
}

/**
 * Whether the path at [start, end) comes after the one at [before, start), when it shares its first `keep` bytes with it, and no
 * more.
 */
function follows(
  bytes: Uint8Array,
  of: { before: number; start: number; keep: number; end: number; allowEqual: boolean },
): boolean {
  const { before, start, keep, end, allowEqual } = of;
  const beforeLength = start - before;
  if (start + keep === end) return allowEqual && keep === beforeLength;
  if (keep === beforeLength) return true;
  const last = bytes[before + keep]!;
  const next = bytes[start + keep]!;
  if (last === next) return false;
  return last === SLASH || (next !== SLASH && last < next);
}

/**
 * Whether the components of the path at [start, end) that reach beyond byte `from` are clean; what lies before was checked with
 * the path before.
 */
function isCleanFrom(
  bytes: Uint8Array,
  { start, from, end }: { start: number; from: number; end: number },
): boolean {
  if (end === start) return true;
  // Where the component that `from` falls into begins.
  let component = from;
  while (component > start && bytes[component - 1] !== SLASH) component--;
  for (let i = from; i <= end; i++) {
    const byte = i === end ? SLASH : bytes[i];
    if (byte === 0) return false;
    if (byte !== SLASH) continue;
    const size = i - component;
    if (size === 0) return false;
    if (size <= 2 && bytes[component] === DOT && bytes[i - 1] === DOT) return false;
    component = i + 1;
  }
  return true;
}

/** Whether a path is as `Entry.path` demands. */
export function isCleanPath(path: ByteString): boolean {
  return (
    path.length <= MAX_PATH && isCleanFrom(byteStringToBytes(path), { start: 0, from: 0, end: path.length })
  );
}

export function sharedLength(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let i = 0;
  while (i < shorter && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i;
}
