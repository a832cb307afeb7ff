/** Seeded randomness: the same seed makes the same run. */
export interface Random {
  /** 0 to `limit` − 1; 0 for a limit below 1. */
  below(limit: number): number;
  /** True once in `n` times. */
  oneIn(n: number): boolean;
  pick<T>(from: readonly T[]): T;
  bytes(length: number): Buffer;
}

/** mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (limit: number): number => (limit < 1 ? 0 : Math.floor((next() / 2 ** 32) * limit));
  return {
    below,
    oneIn: (n) => below(n) === 0,
    pick: (from) => from[below(from.length)]!,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
}

/** FNV-1a of an input: what a target decides by it (sizes of chunks, whether a slow oracle is asked) is the same at every replay. */
export function hashOf(input: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of input) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Cuts an input into chunks whose sizes depend on `seed`; many inputs in one piece, some byte by byte. */
export function chunksOf(input: Uint8Array, seed: number): Uint8Array[] {
  const random = createRandom(seed);
  const most = random.pick([1, 7, 600, 5000, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  if (most === Number.POSITIVE_INFINITY) return [input];
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < input.length; ) {
    const size = 1 + random.below(most);
    chunks.push(input.subarray(at, at + size));
    at += size;
  }
  return chunks;
}
