/** Random valid DEFLATE streams (RFC 1951): stored, fixed and dynamic blocks, odd codes, near and far matches. */
import type { Random } from './random.js';

const LENGTH_BASES = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
];
const PRECODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const FIXED_LENGTHS = Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));

interface BitWriter {
  /** Low bit first. */
  bits(value: number, count: number): void;
  align(): void;
  bytes(bytes: Uint8Array): void;
  take(): Buffer;
}

function createBitWriter(): BitWriter {
  const out: number[] = [];
  let used = 0;
  return {
    bits(value, count) {
      for (let i = 0; i < count; i++) {
        if (used % 8 === 0) out.push(0);
        out[out.length - 1]! |= ((value >>> i) & 1) << (used % 8);
        used++;
      }
    },
    align() {
      used += (8 - (used % 8)) % 8;
    },
    bytes(bytes) {
      for (const byte of bytes) out.push(byte);
      used += bytes.length * 8;
    },
    take: () => Buffer.from(out),
  };
}

/** A code: for each symbol its bits, reversed for writing, and how many; 0 for symbols without a code. */
interface Code {
  lengths: readonly number[];
  codes: readonly number[];
}

function codeOf(lengths: readonly number[]): Code {
  const codes: number[] = [];
  let next = 0;
  for (let length = 1; length <= 15; length++) {
    lengths.forEach((own, symbol) => {
      if (own !== length) return;
      let reversed = 0;
      for (let i = 0; i < length; i++) reversed |= ((next >>> i) & 1) << (length - 1 - i);
      codes[symbol] = reversed;
      next++;
    });
    next <<= 1;
  }
  return { lengths, codes };
}

/** A complete code over `symbols`, none longer than `longest`: leaves of a tree that is split at random. */
function randomLengths(symbols: readonly number[], count: number, longest: number, random: Random): number[] {
  const leaves = [0];
  while (leaves.length < symbols.length) {
    // A lopsided tree now and then: codes of all lengths up to the longest.
    const at = random.oneIn(3) ? leaves.length - 1 : random.below(leaves.length);
    const free = leaves.findIndex((depth, i) => i >= at && depth < longest);
    const split = free >= 0 ? free : leaves.findIndex((depth) => depth < longest);
    const depth = leaves[split]! + 1;
    leaves.splice(split, 1, depth, depth);
  }
  const lengths = new Array<number>(count).fill(0);
  const order = [...symbols].sort(() => random.below(3) - 1);
  order.forEach((symbol, i) => {
    // A lone symbol has a code of one bit.
    lengths[symbol] = Math.max(1, leaves[i]!);
  });
  return lengths;
}

/** One to four blocks. */
export function randomDeflate(random: Random): Buffer {
  const out = createBitWriter();
  let written = 0;
  const blocks = 1 + random.below(4);
  for (let i = 0; i < blocks; i++) {
    const isFinal = i === blocks - 1;
    const type = random.below(4) % 3;
    out.bits(isFinal ? 1 : 0, 1);
    out.bits(type, 2);
    if (type === 0) {
      const data = random.bytes(random.oneIn(8) ? 0 : random.below(300));
      out.align();
      out.bits(data.length, 16);
      out.bits(data.length ^ 0xffff, 16);
      out.bytes(data);
      written += data.length;
    } else {
      written += compressedBlock(out, { dynamic: type === 2, written, random });
    }
  }
  return out.take();
}

function compressedBlock(
  out: BitWriter,
  { dynamic, written, random }: { dynamic: boolean; written: number; random: Random },
): number {
  let litlen = codeOf(FIXED_LENGTHS);
  let dist = codeOf(new Array<number>(30).fill(5));
  if (dynamic) {
    const symbols = [
      256,
      ...some(random, 256, random.pick([1, 4, 40, 256])),
      ...some(random, 29, 12).map((i) => 257 + i),
    ];
    const distances = some(random, 30, random.pick([1, 2, 30]));
    litlen = codeOf(randomLengths([...new Set(symbols)], 286, 15, random));
    dist = codeOf(randomLengths([...new Set(distances)], 30, 15, random));
    writeHeader(out, litlen.lengths, dist.lengths, random);
  }
  const put = (code: Code, symbol: number) => out.bits(code.codes[symbol]!, code.lengths[symbol]!);
  const coded = (code: Code, from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => from + i).filter((symbol) => (code.lengths[symbol] ?? 0) > 0);
  const literals = coded(litlen, 0, 256);
  const lengths = coded(litlen, 257, 286);
  const distances = coded(dist, 0, 30);
  const matchEvery = random.pick([1, 2, 8]);
  let size = 0;
  for (let n = random.below(random.pick([4, 60, 1500])); n > 0; n--) {
    const reachable = distances.filter((symbol) => distanceBase(symbol) <= written + size);
    if (lengths.length > 0 && reachable.length > 0 && (literals.length === 0 || random.oneIn(matchEvery))) {
      const length = random.oneIn(3) ? lengths.at(-1)! : random.pick(lengths);
      const lengthExtra = length === 285 || length < 265 ? 0 : (length - 261) >> 2;
      put(litlen, length);
      const more = random.below(1 << lengthExtra);
      out.bits(more, lengthExtra);
      const distance = random.pick(reachable);
      const base = distanceBase(distance);
      const distanceExtra = distance < 4 ? 0 : (distance >> 1) - 1;
      put(dist, distance);
      out.bits(Math.min(random.below(1 << distanceExtra), written + size - base), distanceExtra);
      size += LENGTH_BASES[length - 257]! + more;
    } else if (literals.length > 0) {
      put(litlen, random.pick(literals));
      size++;
    }
  }
  put(litlen, 256);
  return size;
}

function distanceBase(symbol: number): number {
  return symbol < 4 ? symbol + 1 : 1 + ((2 + (symbol & 1)) << ((symbol >> 1) - 1));
}

function some(random: Random, below: number, count: number): number[] {
  return Array.from({ length: count }, () => random.below(below));
}

/** Section 3.2.7, the repeats 16, 17 and 18 used now and then. */
function writeHeader(
  out: BitWriter,
  litlen: readonly number[],
  dist: readonly number[],
  random: Random,
): void {
  const used = (lengths: readonly number[], least: number) =>
    Math.max(least, lengths.findLastIndex((length) => length > 0) + 1);
  const litlenCount = random.oneIn(3) ? 286 : used(litlen, 257);
  const distCount = random.oneIn(3) ? 30 : used(dist, 1);
  const all = [...litlen.slice(0, litlenCount), ...dist.slice(0, distCount)];
  const precode = codeOf(randomLengths([...Array(19).keys()], 19, 7, random));
  out.bits(litlenCount - 257, 5);
  out.bits(distCount - 1, 5);
  out.bits(15, 4);
  for (const symbol of PRECODE_ORDER) out.bits(precode.lengths[symbol]!, 3);
  const put = (symbol: number, extra = 0, bits = 0): void => {
    out.bits(precode.codes[symbol]!, precode.lengths[symbol]!);
    out.bits(extra, bits);
  };
  for (let at = 0; at < all.length; ) {
    const length = all[at]!;
    let run = 1;
    while (all[at + run] === length) run++;
    if (length === 0 && run >= 11 && !random.oneIn(5)) {
      run = Math.min(run, 138);
      put(18, run - 11, 7);
    } else if (length === 0 && run >= 3 && !random.oneIn(5)) {
      run = Math.min(run, 10);
      put(17, run - 3, 3);
    } else if (at > 0 && all[at - 1] === length && run >= 3 && !random.oneIn(3)) {
      run = Math.min(run, 6);
      put(16, run - 3, 2);
    } else {
      run = 1;
      put(length);
    }
    at += run;
  }
}
