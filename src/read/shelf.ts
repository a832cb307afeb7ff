import type { Buffers } from '../buffers.js';

/** A span's bytes; `own` where nobody else has them. */
export interface ShelfValue {
  value: Uint8Array;
  own: boolean;
}

/**
 * What walks over many files have just read and may soon need again: the memory tier's part for them, but one that knows when a value's
 * memory is free again. Who takes a value has it alone.
 */
export interface Shelf {
  put(key: string, value: ShelfValue): void;
  take(key: string): ShelfValue | undefined;
}

/** Bytes held until more prove to be of use: memory that is soon used again is still in the processor's cache. */
const AT_FIRST = 16 << 20;
/** Keys remembered of values that are gone. */
const GONE = 4096;

/**
 * Holds the values put last. Each value that is asked for when it has just gone makes room for one like it, up to `capacity` bytes: the
 * files of most images come in the order of their data, and need next to nothing twice. The memory of values that nobody else has goes to `buffers`.
 */
export function createShelf(capacity: number, buffers: Buffers): Shelf {
  const values = new Map<string, ShelfValue>();
  /** Their lengths. */
  const gone = new Map<string, number>();
  let room = Math.min(AT_FIRST, capacity);
  let held = 0;

  function remove(key: string): ShelfValue | undefined {
    const found = values.get(key);
    if (!found) return undefined;
    values.delete(key);
    held -= found.value.byteLength;
    return found;
  }

  function evict(key: string): void {
    const { value, own } = remove(key)!;
    if (own) buffers.give(value);
    gone.set(key, value.byteLength);
    for (const oldest of gone.keys()) {
      if (gone.size <= GONE) return;
      gone.delete(oldest);
    }
  }

  return {
    take(key) {
      room = Math.min(room + (gone.get(key) ?? 0), capacity);
      gone.delete(key);
      return remove(key);
    },
    put(key, value) {
      remove(key);
      values.set(key, value);
      held += value.value.byteLength;
      for (const oldest of values.keys()) {
        if (held <= room) return;
        evict(oldest);
      }
    },
  };
}
