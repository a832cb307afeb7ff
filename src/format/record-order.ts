import type { Place } from './entry-columns.js';

/**
 * What blocks of entries point to in a stream of records: those of a later block lie behind those of an earlier one. Otherwise many
 * blocks of a few bytes could share one record that unfolds to megabytes. Blocks are told in whatever order they are read.
 */
export class RecordOrder {
  /** In the order of the blocks. */
  readonly #known: { block: number; start: number; end: number }[] = [];

  /** Whether the records of this block (any number that grows with the blocks) are where they may be, as far as blocks are known. */
  admits(block: number, { offset: start, length }: Place): boolean {
    const known = this.#known;
    const end = start + length;
    let low = 0;
    let high = known.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (known[middle]!.block < block) low = middle + 1;
      else high = middle;
    }
    const next = known[low];
    if (next?.block === block) return true;
    const before = known[low - 1];
    if ((before && before.end > start) || (next && end > next.start)) return false;
    known.splice(low, 0, { block, start, end });
    return true;
  }
}
