/**
 * Huffman decode tables, in the manner of libdeflate: a first level indexed by the next `bits` bits, subtables for longer
 * codes, and entries that hold all that the decoder needs, so that it branches on one word.
 *
 *   bit  31      literal                       23–16 its byte
 *   bits 31–16   base of a length or distance; or the subtable's first entry
 *   bit  15      exceptional: subtable (14), end of block (13), else no valid symbol
 *   bits 13–8    bits of the code (of a subtable pointer: index bits of the subtable)
 *   bits 7–0     bits to consume: code plus extra bits
 *
 * Canonical codes are enumerated in order of length and bit-reversed by an increment from the top; whenever the length grows
 * the table that is filled so far is doubled by a block copy, so short codes cost no strided stores. Rejected: zlib's 9- or
 * 10-bit root with 16-bit symbols and separate extra-bit tables (two more dependent loads per match).
 */
import {
  COUNTS, DIST, DIST_BITS, DIST_RESULTS, LENGTHS, LITLEN, LITLEN_BITS, LITLEN_RESULTS, OFFSETS, PRECODE, PRECODE_BITS,
  PRECODE_RESULTS, SORTED,
} from './layout';
import { Block } from './state';

export const LITERAL: u32 = 0x80000000;
export const EXCEPTIONAL: u32 = 0x8000;
export const SUBTABLE: u32 = 0x4000;
export const END_SYMBOL: u32 = 0x2000;

const LENGTH_BASES: StaticArray<u16> = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA: StaticArray<u8> = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];

/** Fills the tables of what each symbol means (RFC 1951, section 3.2.5). Called once per instance. */
export function initResults(): void {
  for (let symbol: u32 = 0; symbol < 256; symbol++) {
    store<u32>(LITLEN_RESULTS + (symbol << 2), LITERAL | (symbol << 16));
  }
  store<u32>(LITLEN_RESULTS + (256 << 2), EXCEPTIONAL | END_SYMBOL);
  for (let i: u32 = 0; i < 29; i++) {
    const extra = <u32>unchecked(LENGTH_EXTRA[i]);
    store<u32>(LITLEN_RESULTS + ((257 + i) << 2), (<u32>unchecked(LENGTH_BASES[i]) << 16) | extra);
  }
  // 286 and 287 have codes in the fixed table, and no meaning.
  store<u32>(LITLEN_RESULTS + (286 << 2), EXCEPTIONAL);
  store<u32>(LITLEN_RESULTS + (287 << 2), EXCEPTIONAL);
  let base: u32 = 1;
  for (let symbol: u32 = 0; symbol < 30; symbol++) {
    const extra: u32 = symbol < 4 ? 0 : (symbol >> 1) - 1;
    store<u32>(DIST_RESULTS + (symbol << 2), (base << 16) | extra);
    base += 1 << extra;
  }
  store<u32>(DIST_RESULTS + (30 << 2), EXCEPTIONAL);
  store<u32>(DIST_RESULTS + (31 << 2), EXCEPTIONAL);
  for (let symbol: u32 = 0; symbol < 19; symbol++) store<u32>(PRECODE_RESULTS + (symbol << 2), symbol << 16);
}

/** Tables for the code lengths at LENGTHS: litlen first, then dist. False where zlib would refuse them. */
export function buildTables(litlenCount: u32, distCount: u32): bool {
  Block.fixedTables = false;
  // Without an end-of-block code a block could never end.
  if (load<u8>(LENGTHS + 256) == 0) return false;
  Block.litlenBits = build(LENGTHS, litlenCount, LITLEN, LITLEN_RESULTS, LITLEN_BITS, true);
  if (Block.litlenBits == 0) return false;
  Block.distBits = build(LENGTHS + litlenCount, distCount, DIST, DIST_RESULTS, DIST_BITS, true);
  return Block.distBits != 0;
}

/** The table of the code that code lengths are written in; its 19 lengths are at LENGTHS. */
export function buildPrecode(): u32 {
  return build(LENGTHS, 19, PRECODE, PRECODE_RESULTS, PRECODE_BITS, false);
}

/** Tables of fixed Huffman codes (RFC 1951, section 3.2.6); kept as long as blocks of that type follow each other. */
export function buildFixedTables(): void {
  if (Block.fixedTables) return;
  memory.fill(LENGTHS, 8, 144);
  memory.fill(LENGTHS + 144, 9, 112);
  memory.fill(LENGTHS + 256, 7, 24);
  memory.fill(LENGTHS + 280, 8, 8);
  memory.fill(LENGTHS + 288, 5, 32);
  buildTables(288, 32);
  Block.fixedTables = true;
}

@inline
function makeEntry(results: usize, sorted: usize, length: u32): u32 {
  return load<u32>(results + (<usize>load<u16>(sorted) << 2)) + ((length << 8) | length);
}

/** The next canonical code of `length` bits, both bit-reversed. `code` is not all ones. */
@inline
function nextCode(code: u32, length: u32): u32 {
  const bit: u32 = 1 << (31 - clz<u32>(code ^ ((1 << length) - 1)));
  return (code & (bit - 1)) | bit;
}

/**
 * Builds one table. Returns its index bits, at most `maxBits`, or 0 where the lengths are over-subscribed or incomplete.
 * Like zlib, `lenient` lets pass a code of a single one-bit symbol and an empty one; their unused entries are no symbols.
 */
function build(lengths: usize, count: u32, table: usize, results: usize, maxBits: u32, lenient: bool): u32 {
  memory.fill(COUNTS, 0, 64);
  for (let symbol: u32 = 0; symbol < count; symbol++) {
    const slot = COUNTS + (<usize>load<u8>(lengths + symbol) << 2);
    store<u32>(slot, load<u32>(slot) + 1);
  }
  let longest: u32 = 15;
  while (longest > 0 && load<u32>(COUNTS + (longest << 2)) == 0) longest--;
  let left: i32 = 1;
  let offset: u32 = 0;
  for (let length: u32 = 1; length <= longest; length++) {
    const codes = load<u32>(COUNTS + (length << 2));
    store<u32>(OFFSETS + (length << 2), offset);
    offset += codes;
    left = (left << 1) - <i32>codes;
    if (left < 0) return 0;
  }
  if (left > 0 && (!lenient || longest > 1)) return 0;
  for (let symbol: u32 = 0; symbol < count; symbol++) {
    const length = <usize>load<u8>(lengths + symbol);
    if (length == 0) continue;
    const slot = OFFSETS + (length << 2);
    const at = load<u32>(slot);
    store<u32>(slot, at + 1);
    store<u16>(SORTED + (at << 1), <u16>symbol);
  }
  if (left > 0) {
    store<u32>(table, longest == 0 ? EXCEPTIONAL | 0x101 : makeEntry(results, SORTED, 1));
    store<u32>(table + 4, EXCEPTIONAL | 0x101);
    return 1;
  }
  const bits: u32 = longest < maxBits ? longest : maxBits;
  fill(table, results, bits);
  return bits;
}

/** Fills the table of a complete code from COUNTS and SORTED. */
function fill(table: usize, results: usize, bits: u32): void {
  let sorted = SORTED;
  let code: u32 = 0;
  let length: u32 = 1;
  let codes: u32 = load<u32>(COUNTS + 4);
  while (codes == 0) codes = load<u32>(COUNTS + (++length << 2));
  let size: u32 = 1 << (length < bits ? length : bits);
  while (length <= bits) {
    do {
      store<u32>(table + (code << 2), makeEntry(results, sorted, length));
      sorted += 2;
      if (code == size - 1) {
        // The last code: it is complete at this length, the rest of the table repeats what is there.
        for (; length < bits; length++) {
          memory.copy(table + (size << 2), table, size << 2);
          size <<= 1;
        }
        return;
      }
      code = nextCode(code, length);
    } while (--codes);
    do {
      if (++length <= bits) {
        memory.copy(table + (size << 2), table, size << 2);
        size <<= 1;
      }
      codes = load<u32>(COUNTS + (length << 2));
    } while (codes == 0);
  }
  fillSubtables(table, results, bits, sorted, code, length, codes);
}

/** Codes longer than the first level: each distinct prefix gets a subtable just large enough for the codes below it. */
function fillSubtables(
  table: usize, results: usize, bits: u32, sorted: usize, code: u32, length: u32, codes: u32,
): void {
  const mask: u32 = (1 << bits) - 1;
  let prefix: u32 = 0xffffffff;
  let start: u32 = 0;
  let end: u32 = 1 << bits;
  while (true) {
    if ((code & mask) != prefix) {
      prefix = code & mask;
      start = end;
      let subBits = length - bits;
      let used = codes;
      while (used < <u32>1 << subBits) {
        subBits++;
        used = (used << 1) + load<u32>(COUNTS + ((bits + subBits) << 2));
      }
      end = start + (1 << subBits);
      store<u32>(table + (prefix << 2), (start << 16) | EXCEPTIONAL | SUBTABLE | (subBits << 8) | bits);
    }
    const entry = makeEntry(results, sorted, length - bits);
    const stride: u32 = 1 << (length - bits);
    for (let i = start + (code >> bits); i < end; i += stride) store<u32>(table + (i << 2), entry);
    sorted += 2;
    if (code == (<u32>1 << length) - 1) return;
    code = nextCode(code, length);
    codes--;
    while (codes == 0) codes = load<u32>(COUNTS + (++length << 2));
  }
}
