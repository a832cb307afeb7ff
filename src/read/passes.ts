import { extraBytes } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import { breath } from './turns.js';

/** Nodes that are kept from the first pass, more than most images have; where there are more all are walked again in each pass. */
const KEPT = 131072;
/** Bytes of their names, attributes and extents. */
const KEPT_EXTRAS = 33_554_432;

/** Nodes that are gone through several times, in little memory however many they are. */
export interface Passes {
  /** All of them, in batches, with room for signals and other work in between. Passes follow one another. */
  next(): AsyncGenerator<readonly Node[], void, undefined>;
}

/** `walk` yields the same nodes each time. */
export function createPasses(walk: () => AsyncIterable<readonly Node[]>, signal?: AbortSignal): Passes {
  let kept: (readonly Node[])[] | undefined;
  let isFirst = true;

  async function* walkAndKeep(): AsyncGenerator<readonly Node[], void, undefined> {
    isFirst = false;
    let batches: (readonly Node[])[] | undefined = [];
    let nodes = 0;
    let extras = 0;
    for await (const batch of walk()) {
      if (batches) {
        batches.push(batch);
        nodes += batch.length;
        for (const { entry } of batch) extras += extraBytes(entry);
        if (nodes > KEPT || extras > KEPT_EXTRAS) batches = undefined;
      }
      yield batch;
    }
    kept = batches;
  }

  return {
    async *next() {
      for await (const batch of isFirst ? walkAndKeep() : (kept ?? walk())) {
        const pause = breath();
        if (pause) await pause;
        signal?.throwIfAborted();
        yield batch;
      }
    },
  };
}
