import { extraBytes } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import { breath } from './turns.js';

/** Nodes that are gone through several times, in little memory however many they are. */
export interface Passes {
  /** All of them, in batches, with room for signals and other work in between. Passes follow one another. */
  next(): AsyncGenerator<readonly Node[], void, undefined>;
}

export interface PassesOptions {
  /** Nodes, and bytes of their names, attributes and extents, that are kept from the first pass; where there are more, each pass walks. */
  keep: { nodes: number; bytes: number };
  signal?: AbortSignal | undefined;
}

/** `walk` yields the same nodes each time. */
export function createPasses(
  walk: () => AsyncIterable<readonly Node[]>,
  { keep, signal }: PassesOptions,
): Passes {
  let kept: (readonly Node[])[] | undefined;
  let isFirst = true;

  async function* walkAndKeep(): AsyncGenerator<readonly Node[], void, undefined> {
    isFirst = false;
    let batches: (readonly Node[])[] | undefined = [];
    let nodes = 0;
    let bytes = 0;
    for await (const batch of walk()) {
      if (batches) {
        batches.push(batch);
        nodes += batch.length;
        for (const { entry } of batch) bytes += extraBytes(entry);
        if (nodes > keep.nodes || bytes > keep.bytes) batches = undefined;
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
