import { ClipError } from '../errors.js';
import { bufferSource } from '../format/buffer-source.js';
import { openLayerSection } from '../format/layer-section.js';
import { MAX_ENTRIES } from '../format/limits.js';
import type { MergeEntry } from '../tree/entry.js';
import { mergeLayers } from '../tree/merge.js';
import type { MergedNode } from '../tree/merged-node.js';

/**
 * The merged tree of the layers with these digests, base first, from their sections. Throws what `mergeLayers` and sections throw, and
 * LIMIT where all layers together have more entries than one may have: a merge holds them all.
 */
export async function mergeSections(
  digests: readonly string[],
  sections: ReadonlyMap<string, Uint8Array>,
): Promise<Iterable<MergedNode>> {
  const entries = new Map<string, MergeEntry[]>();
  let count = 0;
  for (const digest of new Set(digests)) {
    const { info, mergeEntries } = await openLayerSection(bufferSource(sections.get(digest)!));
    count += info.entryCount;
    if (count > MAX_ENTRIES) {
      throw new ClipError('LIMIT', `the layers of the image have more than ${MAX_ENTRIES} entries`, {
        hint: 'this is no ordinary image; docs/security.md lists the limits',
      });
    }
    entries.set(digest, await mergeEntries());
  }
  return mergeLayers(digests.map((digest) => entries.get(digest)!));
}
