/**
 * Writes that wait for a remote cache, bounded in bytes. Nobody waits for them: what does not fit is dropped. While less than half of the
 * room is taken a value of any size fits, so that none is too large for ever. Operations on one key keep their order.
 */
export interface WriteQueue {
  /** False when there is no room and the value is dropped. A value takes the place of what waits under its key. */
  put(key: string, value: Uint8Array): boolean;
  drop(key: string): void;
  /** Undefined while less than half of the room is taken, and a value of any size fits; else resolves when that is so again. */
  ready(): Promise<void> | undefined;
  /** Resolves when everything is written. */
  idle(): Promise<void>;
  /** Forgets what waits; returns the number of values. */
  clear(): number;
}

export interface WriteQueueOptions {
  /** Bytes, those being written included; exceeded only by a value that is larger than half of it. */
  capacity: number;
  /** Writes at once. */
  parallel: number;
  /** Writes a value, or removes the entry where it is undefined. Never throws. */
  write(key: string, value: Uint8Array | undefined): Promise<void>;
}

export function createWriteQueue({ capacity, parallel, write }: WriteQueueOptions): WriteQueue {
  const waiting = new Map<string, Uint8Array | undefined>();
  const active = new Set<string>();
  let listeners: { check: () => boolean; resolve: () => void }[] = [];
  let bytes = 0;

  function pump(): void {
    for (const [key, value] of waiting) {
      if (active.size >= parallel) return;
      if (active.has(key)) continue;
      waiting.delete(key);
      active.add(key);
      void write(key, value).finally(() => {
        active.delete(key);
        bytes -= value?.byteLength ?? 0;
        pump();
        notify();
      });
    }
  }

  function notify(): void {
    const left: typeof listeners = [];
    for (const listener of listeners) {
      if (listener.check()) listener.resolve();
      else left.push(listener);
    }
    listeners = left;
  }

  function until(check: () => boolean): Promise<void> {
    if (check()) return Promise.resolve();
    return new Promise((resolve) => listeners.push({ check, resolve }));
  }

  function replace(key: string, value: Uint8Array | undefined): void {
    bytes += (value?.byteLength ?? 0) - (waiting.get(key)?.byteLength ?? 0);
    waiting.set(key, value);
    pump();
  }

  const hasRoom = () => bytes < capacity / 2;

  return {
    put(key, value) {
      if (!hasRoom() && bytes + value.byteLength > capacity) return false;
      replace(key, value);
      return true;
    },
    drop(key) {
      replace(key, undefined);
    },
    ready() {
      return hasRoom() ? undefined : until(hasRoom);
    },
    idle() {
      return until(() => waiting.size === 0 && active.size === 0);
    },
    clear() {
      let values = 0;
      for (const value of waiting.values()) {
        if (value === undefined) continue;
        bytes -= value.byteLength;
        values++;
      }
      waiting.clear();
      notify();
      return values;
    },
  };
}
