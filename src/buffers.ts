/**
 * Memory that is used again. V8 begins a collection for every 32 MB of buffers that are new to a thread, made or sent there, and a
 * full one for every 64 MB made: a whole image goes through some ten gigabytes of them, and a third of all CPU time of `export` was the
 * collector's.
 */
export interface Buffers {
  /** `length` bytes that hold anything, alone in a buffer that may be larger. */
  take(length: number): Uint8Array<ArrayBuffer>;
  /**
   * Takes the buffer of `bytes` back from who is the only one that has it. One that is detached, too small to be worth it or too much is
   * left to the collector.
   */
  give(bytes: Uint8Array): void;
}

/** Bytes that lie ready at most: what the windows of a walk hand back before they take again. */
const CAPACITY = 16 << 20;
/** Parts of Node's own pool, which are smaller, must not get here. */
const SMALLEST = 64 << 10;

export function createBuffers(): Buffers {
  /** By size, smallest first. */
  const free: ArrayBuffer[] = [];
  let held = 0;

  return {
    take(length) {
      const at = firstOf(free, length);
      const buffer = free[at];
      // A large one is not spent on a few bytes. New ones are not zeroed, and no part of a pool.
      if (!buffer || buffer.byteLength > length * 2) {
        return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
      }
      free.splice(at, 1);
      held -= buffer.byteLength;
      return new Uint8Array(buffer, 0, length);
    },
    give({ buffer }) {
      const size = buffer.byteLength;
      if (!(buffer instanceof ArrayBuffer) || size < SMALLEST || held + size > CAPACITY) return;
      free.splice(firstOf(free, size), 0, buffer);
      held += size;
    },
  };
}

/** Place of the first buffer of at least `size` bytes. */
function firstOf(free: readonly ArrayBuffer[], size: number): number {
  let low = 0;
  let high = free.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((free[middle] as ArrayBuffer).byteLength < size) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Where in a word of 8 bytes the first byte lies. V8 copies into shared memory and out of it word by word where both ends lie alike in their
 * words, else byte by byte, six times as slow.
 */
export function placeInWord({ byteOffset }: Uint8Array): number {
  return byteOffset % 8;
}
