import type { Flight, Load } from './flight.js';

/**
 * What a reader holds of the units that it asked for together: of each the value, where memory had it, or the flight that brings it, of
 * this batch's own load or of one that another began. A flight counts the batches that wait for it until they release it.
 */
export interface Batch {
  /**
   * The value of unit i; a promise only if it is not here yet. Readers must not change it. Where a load of several units that others began
   * has failed, which need not be this unit's fault, it is loaded again, alone.
   */
  take(i: number): Uint8Array | Promise<Uint8Array>;
  /** Whether nobody else has the value of unit i, no reader and no tier: whoever took it may use its memory for something else. */
  own(i: number): boolean;
  /** True when no unit is waited for. */
  settled(): boolean;
  /** Stops waiting; a load that nobody waits for is aborted. To be called in the end, whatever happened. */
  release(): void;
}

interface BatchOptions {
  /** The batch's own; other loads were joined. */
  load: Load;
  leave(flight: Flight): void;
  /** Loads unit i alone. */
  again(i: number): Batch;
}

export function batchOf(slots: readonly (Uint8Array | Flight)[], options: BatchOptions): Batch {
  const { load, leave, again } = options;
  let joined: Map<number, Promise<Uint8Array>> | undefined;
  const loadedAgain: Batch[] = [];
  let released = false;

  /** What was joined may fail for units that nobody asked for here; where it is a load of this unit alone, the error is this unit's. */
  async function valueFrom(i: number, flight: Flight): Promise<Uint8Array> {
    try {
      return await flight.promise;
    } catch (error) {
      if (released || flight.load.keys === 1) throw error;
      const batch = again(i);
      loadedAgain.push(batch);
      return await batch.take(0);
    }
  }

  return {
    take(i) {
      const slot = slots[i];
      if (slot === undefined) throw new RangeError(`unit ${i} of ${slots.length}`);
      if (slot instanceof Uint8Array) return slot;
      if (slot.value !== undefined || slot.load === load) return slot.value ?? slot.promise;
      joined ??= new Map();
      const value = joined.get(i) ?? valueFrom(i, slot);
      joined.set(i, value);
      // Nobody may be waiting any more when it fails.
      value.catch(() => {});
      return value;
    },
    own(i) {
      const slot = slots[i];
      return slot !== undefined && 'shared' in slot && slot.value !== undefined && !slot.shared;
    },
    settled() {
      return slots.every((slot) => slot instanceof Uint8Array || slot.value !== undefined);
    },
    release() {
      if (released) return;
      released = true;
      for (const slot of slots) if (!(slot instanceof Uint8Array)) leave(slot);
      for (const batch of loadedAgain) batch.release();
    },
  };
}
