/**
 * Decodes and checks the front-coded paths of one block (docs/format.md, "Paths"). It runs in V8's baseline from the first byte on: the
 * same in JavaScript was most of what a listing took, since V8 interprets the first blocks and has decoded most of them when it is done
 * optimizing.
 *
 * Safe on hostile input: memory never grows, every column is checked against its end, and all paths together against their bound, before
 * a byte of them is written.
 */

/** As in ../limits.ts: bytes of a path, of all paths of a block, and paths in a block. */
const MAX_PATH: u32 = 16_384;
const MAX_BLOCK_PATHS: u32 = 262_144;
const MAX_BLOCK_ITEMS: u32 = 4096;

/** Bytes that may be read or written beyond an end, 16 at a time. */
const SLACK: usize = 16;
const BASE: usize = 0x1000;
export const inputStart: usize = BASE;
/** A block decoded: ../limits.ts, MAX_BLOCK. */
export const inputSize: usize = 65_536;
/** Lengths of the shared prefixes, and of the rests, u16 each. */
const SHARED: usize = BASE + inputSize + SLACK;
const REST: usize = SHARED + MAX_BLOCK_ITEMS * 2;
/** Rows whose path is that of the row before, u16 each. */
export const repeatsStart: usize = REST + MAX_BLOCK_ITEMS * 2;
/** Where each line begins in the output, and the last one ends, u32 each. */
export const linesStart: usize = repeatsStart + MAX_BLOCK_ITEMS * 2;
/** Each path between a slash and a newline. */
export const outputStart: usize = linesStart + (MAX_BLOCK_ITEMS + 1) * 4;
const OUTPUT_SIZE: usize = MAX_BLOCK_PATHS + MAX_BLOCK_ITEMS * 2;

if (__heap_base > BASE || outputStart + OUTPUT_SIZE + SLACK > <usize>memory.size() << 16) unreachable();

const SLASH: u32 = 0x2f;
const DOT: u32 = 0x2e;
const NEWLINE: u32 = 0x0a;
const BACKSLASH: u32 = 0x5c;

/** What `decode` returns; ../path-core.ts has the words. */
const OK: u32 = 0;
const TOO_MANY: u32 = 1;
const NO_LENGTH: u32 = 2;
const TOO_LONG: u32 = 3;
const TOO_LARGE: u32 = 4;
const ENDS_EARLY: u32 = 5;
const SHARES_TOO_MUCH: u32 = 6;
const NOT_IN_ORDER: u32 = 7;
const NOT_CLEAN: u32 = 8;

/** No length is this large. */
const NONE: u32 = u32.MAX_VALUE;

let next: usize = 0;
let end: usize = 0;
let repeats: u32 = 0;
let odd: u32 = 0;

/** Bytes of the input that the paths took. */
export function consumed(): u32 {
  return <u32>(next - inputStart);
}

export function repeatCount(): u32 {
  return repeats;
}

/** Whether all bytes are printable ASCII other than a backslash. */
export function isPlain(): bool {
  return odd == 0;
}

/**
 * Decodes `count` paths from the first `size` bytes of the input: each must be clean (no empty, `.` or `..` component, no NUL, no slash
 * at either end) and come after the one before in the order of `comparePaths`, sharing no more with it than it says; `allowEqual`: or be
 * the same.
 */
export function decode(size: u32, count: u32, allowEqual: bool): u32 {
  next = inputStart;
  end = inputStart + size;
  repeats = 0;
  odd = 0;
  if (count > MAX_BLOCK_ITEMS) return TOO_MANY;
  const status = readLengths(count);
  if (status != OK) return status;
  let source = next - restBytes;
  let line = outputStart;
  let before = line + 1;
  let beforeEnd = before;
  for (let row: u32 = 0; row < count; row++) {
    const keep = <usize>load<u16>(SHARED + (row << 1));
    const rest = <usize>load<u16>(REST + (row << 1));
    if (keep > beforeEnd - before) return SHARES_TOO_MUCH;
    store<u32>(linesStart + (row << 2), <u32>(line - outputStart));
    store<u8>(line, SLASH);
    const start = line + 1;
    // The path before ends two bytes earlier, so the two never overlap where it matters.
    for (let i: usize = 0; i < keep; i += 16) v128.store(start + i, v128.load(before + i));
    if (row > 0) {
      if (!follows(before + keep, beforeEnd, source, rest, allowEqual)) return NOT_IN_ORDER;
      if (rest == 0) store<u16>(repeatsStart + (repeats++ << 1), <u16>row);
    }
    const added = start + keep;
    if (!copyRest(added, source, rest, start)) return NOT_CLEAN;
    source += rest;
    before = start;
    beforeEnd = added + rest;
    store<u8>(beforeEnd, NEWLINE);
    line = beforeEnd + 1;
  }
  store<u32>(linesStart + (count << 2), <u32>(line - outputStart));
  return OK;
}

/** Sum of the lengths of the rests. */
let restBytes: usize = 0;

/** The two columns of lengths; what follows the rests is next then. */
function readLengths(count: u32): u32 {
  for (let row: u32 = 0; row < count; row++) {
    const shared = readLength();
    if (shared == NONE) return NO_LENGTH;
    store<u16>(SHARED + (row << 1), <u16>shared);
  }
  let total: u32 = 0;
  restBytes = 0;
  for (let row: u32 = 0; row < count; row++) {
    const rest = readLength();
    if (rest == NONE) return NO_LENGTH;
    store<u16>(REST + (row << 1), <u16>rest);
    const length = <u32>load<u16>(SHARED + (row << 1)) + rest;
    if (length > MAX_PATH) return TOO_LONG;
    restBytes += rest;
    total += length;
  }
  if (total > MAX_BLOCK_PATHS) return TOO_LARGE;
  if (restBytes > end - next) return ENDS_EARLY;
  next += restBytes;
  return OK;
}

/** A varint of at most MAX_PATH in as few bytes as it takes, or NONE. */
@inline
function readLength(): u32 {
  let value: u32 = 0;
  for (let shift: u32 = 0; shift < 21; shift += 7) {
    if (next >= end) return NONE;
    const byte = <u32>load<u8>(next++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return (byte == 0 && shift > 0) || value > MAX_PATH ? NONE : value;
  }
  return NONE;
}

/** Whether a path comes after the one before: `tail` to `tailEnd` is what that has and `rest` bytes at `source` what this has instead. */
@inline
function follows(tail: usize, tailEnd: usize, source: usize, rest: usize, allowEqual: bool): bool {
  if (rest == 0) return allowEqual && tail == tailEnd;
  if (tail == tailEnd) return true;
  const last = <u32>load<u8>(tail);
  const first = <u32>load<u8>(source);
  if (last == first) return false;
  return last == SLASH || (first != SLASH && last < first);
}

/**
 * Copies the rest of a path that begins at `start`. Returns whether the components that reach into the rest are clean; those before it
 * were looked at with the path before.
 */
@inline
function copyRest(to: usize, source: usize, rest: usize, start: usize): bool {
  if (rest == 0) return true;
  // Where the component that the rest goes on with begins, or three bytes back: one of three bytes and more is clean.
  let component = to;
  while (component > start && component + 3 > to && <u32>load<u8>(component - 1) != SLASH) component--;
  for (let i: usize = 0; i < rest; i += 16) {
    const bytes = v128.load(source + i);
    v128.store(to + i, bytes);
    const left = rest - i;
    const valid: u32 = left >= 16 ? 0xffff : (<u32>1 << <u32>left) - 1;
    const isOdd = v128.or(
      v128.or(i8x16.lt_u(bytes, i8x16.splat(0x20)), i8x16.gt_u(bytes, i8x16.splat(0x7e))),
      i8x16.eq(bytes, i8x16.splat(<i8>BACKSLASH)),
    );
    odd |= <u32>i8x16.bitmask(isOdd) & valid;
    if ((<u32>i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(0))) & valid) != 0) return false;
    let slashes = <u32>i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(<i8>SLASH))) & valid;
    while (slashes != 0) {
      const slash = to + i + <usize>ctz(slashes);
      if (!isComponent(component, slash)) return false;
      component = slash + 1;
      slashes &= slashes - 1;
    }
  }
  return isComponent(component, to + rest);
}

/** Neither empty nor `.` nor `..`. */
@inline
function isComponent(from: usize, to: usize): bool {
  const length = to - from;
  if (length > 2) return true;
  return length != 0 && !(<u32>load<u8>(from) == DOT && <u32>load<u8>(to - 1) == DOT);
}
