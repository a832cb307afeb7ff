/** A stream that is under way. */
export interface Begun<T> extends AsyncIterable<T> {
  /** Ends it without its being read. */
  drop(): void;
}

/**
 * Asks a stream for its first chunk at once, so that the request behind it has been answered when somebody comes to read it. What fails
 * meanwhile is told to who reads.
 */
export function begin<T>(chunks: AsyncIterable<T>): Begun<T> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = iterator.next();
  first.catch(() => {});
  return {
    async *[Symbol.asyncIterator]() {
      try {
        for (let next = await first; !next.done; next = await iterator.next()) yield next.value;
      } finally {
        await iterator.return?.();
      }
    },
    drop() {
      iterator.return?.().catch(() => {});
    },
  };
}

/**
 * Items in their order, each with what `begin` made of it; `most` of them are under way at once, the one that is worked on included. Who
 * leaves the loop early has `drop` end those that were begun and not reached; what was reached is not held on to.
 */
export function* begunAhead<Item, Work>(
  items: readonly Item[],
  { most, begin, drop }: { most: number; begin: (item: Item) => Work; drop: (work: Work) => void },
): Generator<readonly [Item, Work], void, undefined> {
  const begun: Work[] = [];
  try {
    for (const [i, item] of items.entries()) {
      for (const next of items.slice(i + begun.length, i + most)) begun.push(begin(next));
      yield [item, begun.shift() as Work];
    }
  } finally {
    for (const work of begun) drop(work);
  }
}
