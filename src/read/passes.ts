import { variableBytes } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import type { BatchRoom } from '../tree/node-batch.js';
import { inTurns } from './turns.js';

/** Nodes that are gone through several times, in little memory however many they are. */
export interface Passes<K extends string> {
  /** All of them, in batches. This pass comes first, and goes to its end. */
  first(): AsyncGenerator<readonly Node[], void, undefined>;
  /** Those of one kind, as often as it takes. */
  again(kind: K): AsyncGenerator<readonly Node[], void, undefined>;
}

export interface PassesOptions<K extends string> {
  kinds: Readonly<Record<K, (node: Node) => boolean>>;
  /** Nodes of one kind, and bytes of their names, attributes and extents, that are kept from the first pass; of more, each pass walks. */
  keep: BatchRoom;
  signal?: AbortSignal | undefined;
}

/** `walk` yields the same nodes each time. Between batches there is room for signals and other work. */
export function createPasses<K extends string>(
  walk: () => AsyncIterable<readonly Node[]>,
  { kinds, keep, signal }: PassesOptions<K>,
): Passes<K> {
  const kept = new Map<string, Kept>(Object.keys(kinds).map((kind) => [kind, new Kept(keep)]));

  async function* walkAndKeep(): AsyncGenerator<readonly Node[], void, undefined> {
    for await (const batch of walk()) {
      for (const [kind, nodes] of kept) nodes.offer(batch.filter(kinds[kind as K]));
      yield batch;
    }
  }

  async function* walkAgain(kind: K): AsyncGenerator<readonly Node[], void, undefined> {
    for await (const batch of walk()) yield batch.filter(kinds[kind]);
  }

  return {
    first: () => inTurns(walkAndKeep(), signal),
    again: (kind) => inTurns(kept.get(kind)?.batches ?? walkAgain(kind), signal),
  };
}

class Kept {
  /** Undefined once there were too many. */
  batches: Node[][] | undefined = [];
  #nodes: number;
  #bytes: number;

  constructor(room: BatchRoom) {
    this.#nodes = room.nodes;
    this.#bytes = room.bytes;
  }

  offer(batch: Node[]): void {
    this.#nodes -= batch.length;
    for (const { entry } of batch) this.#bytes -= variableBytes(entry);
    if (this.#nodes < 0 || this.#bytes < 0) this.batches = undefined;
    else if (batch.length > 0) this.batches?.push(batch);
  }
}
