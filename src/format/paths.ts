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
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;

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

/** The paths of a block, in order. */
export class Paths {
  readonly count: number;
  /** Whether all bytes are printable ASCII other than a backslash, so that lines can be printed as they are. */
  readonly plain: boolean;
  /** Rows whose path is that of the row before. */
  readonly repeats: ReadonlySet<number>;
  /** Each path between a slash and a newline. */
  readonly #bytes: Buffer;
  /** Where each line begins, and the last one ends. */
  readonly #lines: Uint32Array;
  #text: string | undefined;

  constructor(of: { bytes: Buffer; lines: Uint32Array; plain: boolean; repeats: ReadonlySet<number> }) {
    this.count = of.lines.length - 1;
    this.plain = of.plain;
    this.repeats = of.repeats;
    this.#bytes = of.bytes;
    this.#lines = of.lines;
  }

  /** A single path. */
  static of(path: ByteString): Paths {
    const bytes = byteStringToBytes(`/${path}\n` as ByteString);
    const lines = Uint32Array.of(0, bytes.length);
    return new Paths({ bytes, lines, plain: isPlain(bytes.subarray(0, -1)), repeats: new Set() });
  }

  at(row: number): ByteString {
    const start = this.#lines[row]! + 1;
    const end = this.#lines[row + 1]! - 1;
    const text = this.#text;
    return (
      text === undefined ? this.#bytes.toString('latin1', start, end) : text.slice(start, end)
    ) as ByteString;
  }

  /** For who wants most of them: the next are cut from one string, which takes half the time. */
  decodeAll(): void {
    this.#text ??= this.#bytes.toString('latin1');
  }

  /** Lines [from, to) of a listing: each path between a slash and a newline. */
  lines(from: number, to: number): ByteString {
    return this.#bytes.toString('latin1', this.#lines[from], this.#lines[to]) as ByteString;
  }
}

/**
 * Reads `count` paths and checks that each is clean (no empty, `.` or `..` component, no NUL, no slash at either end), that they
 * ascend in the order of `comparePaths`, that the shared prefixes are as long as they can be, and that all together are at most
 * MAX_BLOCK_PATHS bytes.
 */
export function readPaths(reader: ByteReader, count: number, order: PathOrder): Paths {
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
  const bytes = Buffer.allocUnsafe(total + 2 * count);
  const lines = new Uint32Array(count + 1);
  const repeats = new Set<number>();
  let from = 0;
  let start = 1;
  let end = 1;
  for (let i = 0; i < count; i++) {
    const keep = shared[i]!;
    const before = start;
    const beforeEnd = end;
    if (keep > end - start) reader.fail('a path shares more than there is');
    start = lines[i]! + 1;
    bytes[start - 1] = SLASH;
    bytes.copyWithin(start, before, before + keep);
    const added = start + keep;
    end = added + rest[i]!;
    for (let at = added; at < end; at++) bytes[at] = rests[from++]!;
    bytes[end] = NEWLINE;
    lines[i + 1] = end + 1;
    if (i > 0) {
      if (!follows(bytes, { before, beforeEnd, start, keep, end, allowEqual: order.allowEqual }))
        reader.fail('paths are not in order');
      if (added === end) repeats.add(i);
    }
    if (!isCleanFrom(bytes, { start, from: added, end })) reader.fail('a path is not clean');
  }
  return new Paths({ bytes, lines, plain: isPlain(rests), repeats });
}

function isPlain(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return false;
  }
  return true;
}

/**
 * Whether the path at [start, end) comes after the one at [before, beforeEnd), when it shares its first `keep` bytes with it, and no
 * more.
 */
function follows(
  bytes: Uint8Array,
  of: {
    before: number;
    beforeEnd: number;
    start: number;
    keep: number;
    end: number;
    allowEqual: boolean;
  },
): boolean {
  const { before, beforeEnd, start, keep, end, allowEqual } = of;
  const beforeLength = beforeEnd - before;
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
