import { type Observer, silentObserver } from '../observer.js';
import type { CacheTier } from './tier.js';

/** What an entry costs besides its bytes: key, list node, map slot, the buffer's own header. Counted, so that tiny values are bounded too. */
export const ENTRY_OVERHEAD = 512;

export interface MemoryTier extends CacheTier {
  readonly name: 'memory';
  /** Bytes held, overhead included; never more than `capacity`. */
  readonly bytes: number;
  readonly capacity: number;
  get(key: string, length: number): Uint8Array | undefined;
  put(key: string, value: Uint8Array): void;
  drop(key: string): void;
  contains(key: string, length: number): boolean;
}

interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  older: Entry | undefined;
  newer: Entry | undefined;
}

/**
 * The memory tier: least recently used, bounded in bytes. `get` hands out the stored buffer itself, which readers must not change.
 * A doubly linked list beside a map: a get is one map lookup and a few pointer writes (about 30 ns), where re-inserting
 * into the map for recency costs three times that.
 */
export function createMemoryTier(capacity: number, observer: Observer = silentObserver): MemoryTier {
  const entries = new Map<string, Entry>();
  let oldest: Entry | undefined;
  let newest: Entry | undefined;
  let bytes = 0;

  function unlink(entry: Entry): void {
    if (entry.older) entry.older.newer = entry.newer;
    else oldest = entry.newer;
    if (entry.newer) entry.newer.older = entry.older;
    else newest = entry.older;
  }

  function append(entry: Entry): void {
    entry.older = newest;
    entry.newer = undefined;
    if (newest) newest.newer = entry;
    else oldest = entry;
    newest = entry;
  }

  function remove(entry: Entry): void {
    unlink(entry);
    entries.delete(entry.key);
    bytes -= entry.value.byteLength + ENTRY_OVERHEAD;
  }

  return {
    name: 'memory',
    holdsValues: true,
    capacity,
    get bytes() {
      return bytes;
    },
    get(key, length) {
      const entry = entries.get(key);
      if (entry === undefined || entry.value.byteLength !== length) return undefined;
      if (entry !== newest) {
        unlink(entry);
        append(entry);
      }
      return entry.value;
    },
    put(key, value) {
      const cost = value.byteLength + ENTRY_OVERHEAD;
      const known = entries.get(key);
      if (known) remove(known);
      if (cost > capacity) return;
      while (bytes + cost > capacity && oldest) {
        const entry = oldest;
        remove(entry);
        observer.emit({ type: 'evicted', tier: 'memory', key: entry.key, bytes: entry.value.byteLength });
      }
      // A view into a larger buffer would keep all of that buffer alive beyond what is counted here.
      const own = value.byteLength === value.buffer.byteLength ? value : new Uint8Array(value);
      const entry: Entry = { key, value: own, older: undefined, newer: undefined };
      entries.set(key, entry);
      append(entry);
      bytes += cost;
    },
    drop(key) {
      const entry = entries.get(key);
      if (entry) remove(entry);
    },
    contains(key, length) {
      return entries.get(key)?.value.byteLength === length;
    },
    canHold(wanted) {
      // Room for the overhead of entries of 64 KiB and more; spans are larger than that but for the last of a layer.
      return wanted + Math.ceil(wanted / 65_536 + 1) * ENTRY_OVERHEAD <= capacity;
    },
    async close() {
      entries.clear();
      oldest = newest = undefined;
      bytes = 0;
    },
  };
}
