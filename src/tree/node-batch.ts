import { variableBytes } from './entry.js';
import type { Node } from './node.js';

/** How much is held together. */
export interface BatchRoom {
  nodes: number;
  /** Of names, attributes and extents, but for those of the last node. */
  bytes: number;
}

/** Nodes that are held together until there is no more room: bounded, whatever the nodes of an index that somebody made refer to. */
export class NodeBatch {
  readonly #room: BatchRoom;
  #nodes: Node[] = [];
  #bytes = 0;

  constructor(room: BatchRoom) {
    this.#room = room;
  }

  get isFull(): boolean {
    return this.#nodes.length >= this.#room.nodes || this.#bytes >= this.#room.bytes;
  }

  add(node: Node): void {
    this.#bytes += variableBytes(node.entry);
    this.#nodes.push(node);
  }

  take(): Node[] {
    const nodes = this.#nodes;
    this.#nodes = [];
    this.#bytes = 0;
    return nodes;
  }
}
