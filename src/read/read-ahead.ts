import type { Node } from '../tree/node.js';

/** Bytes fetched ahead at first and at most: a span or two, then what hides a round trip to a registry behind the reading. */
const FIRST = 2 << 20;
const MOST = 8 << 20;
/** Reads that continue one another before anything is fetched ahead: a header and the next field prove nothing. */
const PATIENCE = 2;

export interface ReadAhead {
  /** A read of [offset, offset + length) is done. */
  note(offset: number, length: number): void;
  /** Stops what is under way. */
  stop(): void;
}

/**
 * Watches the reads of one open file. Once they follow one another, what comes next is loaded before it is asked for: at most 8 MiB, the
 * next of it when half of the last is used up, doubling from 2 MiB; a jump begins anew. `load` never fails.
 */
export function createReadAhead(
  { entry }: Pick<Node, 'entry'>,
  load: (range: { offset: number; length: number }, signal: AbortSignal) => Promise<void>,
): ReadAhead {
  const controller = new AbortController();
  let next = 0;
  let inRow = 0;
  let loaded = 0;
  let size = FIRST;
  let isLoading = false;

  function begin(from: number): void {
    const offset = Math.max(from, loaded);
    const length = Math.min(size, entry.size - offset);
    if (length <= 0) return;
    isLoading = true;
    loaded = offset + length;
    size = Math.min(size * 2, MOST);
    void load({ offset, length }, controller.signal).then(() => {
      isLoading = false;
    });
  }

  return {
    note(offset, length) {
      if (offset !== next) {
        inRow = 0;
        loaded = 0;
        size = FIRST;
      }
      inRow++;
      next = offset + length;
      if (inRow <= PATIENCE || isLoading || controller.signal.aborted || length === 0) return;
      if (loaded - next < size / 2) begin(next);
    },
    stop() {
      controller.abort();
    },
  };
}
