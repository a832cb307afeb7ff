import type { MergeEntry } from './entry.js';

/** Ordinals of entries in the order of their positions, that is as they came in the tar. */
export function tarOrder(entries: readonly MergeEntry[]): Uint32Array {
  const count = entries.length;
  const order = new Uint32Array(count);
  // Positions follow header blocks, so they are multiples of 512: position and ordinal fit into one double together, and
  // numbers sort several times faster than ordinals by a comparator.
  const shift = 2 ** Math.ceil(Math.log2(count + 1));
  const limit = (Number.MAX_SAFE_INTEGER / shift) * 512 - 512;
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const { position } = entries[i]!;
    if (position % 512 !== 0 || position < 0 || position > limit) return slowOrder(entries, order);
    keys[i] = (position / 512) * shift + i;
  }
  keys.sort();
  for (let i = 0; i < count; i++) order[i] = keys[i]! % shift;
  return order;
}

function slowOrder(entries: readonly MergeEntry[], order: Uint32Array): Uint32Array {
  for (let i = 0; i < order.length; i++) order[i] = i;
  return order.sort((a, b) => entries[a]!.position - entries[b]!.position || a - b);
}
