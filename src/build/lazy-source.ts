import { once } from '../once.js';
import type { ImageSource } from '../source/source.js';

export interface LazySource {
  open(): Promise<ImageSource>;
  close(): Promise<void>;
}

/** Opens at the first call; a warm read never calls. A failure is not remembered. */
export function lazySource(open: () => Promise<ImageSource>): LazySource {
  let source: Promise<ImageSource> | undefined;
  const opened = once(open);
  return {
    open() {
      const opening = opened();
      source = opening;
      return opening;
    },
    async close() {
      await source?.then(
        (it) => it.close(),
        () => {},
      );
    },
  };
}
