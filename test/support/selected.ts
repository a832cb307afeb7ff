import type { Node } from '../../src/tree/node.js';

/** A selection of these nodes. */
export function selected(nodes: readonly Node[]) {
  return {
    async *nodes() {
      yield [...nodes];
    },
  };
}
