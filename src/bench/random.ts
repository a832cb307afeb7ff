/**
 * mulberry32 (Tommy Ettinger's public-domain generator with 32 bits of state): whole numbers 0 … 2^32 − 1. Written down in
 * docs/cli.md, so that a seed means the same files to any program.
 */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/**
 * The first `count` of a Fisher–Yates shuffle of `items`, round again when `count` is more than there are. `items` is not
 * changed and must not be empty.
 */
export function choose<T>(items: ArrayLike<T> & Iterable<T>, count: number, seed: number): T[] {
  const random = createRandom(seed);
  const shuffled = Array.from(items);
  const distinct = Math.min(count, items.length);
  for (let i = 0; i < distinct; i++) {
    const j = i + Math.floor((random() / 2 ** 32) * (shuffled.length - i));
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return Array.from({ length: count }, (_, i) => shuffled[i % distinct]!);
}
