import { unlessAborted } from '../http/errors.js';
import type { ReadOptions } from './source.js';

/**
 * What takes long to open and is opened once for all readers, by the first of them and under its signal. A reader that gives up decides
 * nothing for the others: the next one opens it anew. Any other failure is everybody's.
 */
export function createOpening<T>(open: (read: ReadOptions) => Promise<T>): (read: ReadOptions) => Promise<T> {
  let opened: Promise<T> | undefined;

  function begin(read: ReadOptions): Promise<T> {
    return open(read).catch((error: unknown) => {
      if (read.signal?.aborted) opened = undefined;
      throw error;
    });
  }

  return async (read) => {
    for (;;) {
      opened ??= begin(read);
      const mine = opened;
      try {
        return await unlessAborted(mine, read.signal);
      } catch (error) {
        if (read.signal?.aborted || opened === mine) throw error;
      }
    }
  };
}
