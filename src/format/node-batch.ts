import { variableBytes } from '../tree/entry.js';
import type { Node } from '../tree/node.js';

/** Nodes of one batch: each may keep a block of paths in memory that nothing else needs. */
const BATCH = 512;
/** Bytes of names, attributes and extents of one batch, but for its last node. */
const BATCH_EXTRAS = 1_048_576;

/** What is handed out together: bounded, whatever the nodes of an index that somebody made refer to. */
export class NodeBatch {
  #nodes: Node[] = [];
  #extras = 0;

  get isFull(): boolean {
    return this.#nodes.length >= BATCH || this.#extras >= BATCH_EXTRAS;
  }

  add(node: Node): void {
    this.#extras += variableBytes(node.entry);
    this.#nodes.push(node);
  }

  take(): Node[] {
    const nodes = this.#nodes;
    this.#nodes = [];
    this.#extras = 0;
    return nodes;
  }
}
