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
