import type { MergeEntry } from '../../src/tree/entry.js';
import { mergeLayers } from '../../src/tree/merge.js';
import type { MergedNode } from '../../src/tree/merged-node.js';

/** All nodes of the merged tree. */
export function merged(layers: readonly (readonly MergeEntry[])[]): MergedNode[] {
  const steps = mergeLayers(layers);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return [...value];
  }
}
