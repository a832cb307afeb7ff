import { ClipError } from '../errors.js';
import { bufferSource } from '../format/buffer-source.js';
import { createNameRoom, openLayerSection } from '../format/layer-section.js';
import { MAX_ENTRIES } from '../format/limits.js';
import { breath } from '../read/turns.js';
import type { MergeEntry } from '../tree/entry.js';
import { mergeLayers } from '../tree/merge.js';
import type { MergedNode } from '../tree/merged-node.js';

/**
 * The merged tree of the layers with these digests, base first, from their sections. Throws what `mergeLayers` and sections throw, and
 * LIMIT where all layers together have more entries, or bytes of names, than one may have: a merge holds them all.
 */
export async function mergeSections(
  digests: readonly string[],
  sections: ReadonlyMap<string, Uint8Array>,
  signal?: AbortSignal,
): Promise<Iterable<MergedNode>> {
  const entries = new Map<string, MergeEntry[]>();
  const room = createNameRoom();
  let count = 0;
  for (const digest of new Set(digests)) {
    const { info, mergeEntries } = await openLayerSection(bufferSource(sections.get(digest)!));
    count += info.entryCount;
    if (count > MAX_ENTRIES) {
      throw new ClipError('LIMIT', `the layers of the image have more than ${MAX_ENTRIES} entries`, {
        hint: 'this is no ordinary image; docs/security.md lists the limits',
      });
    }
    entries.set(digest, await mergeEntries(room));
  }
  const steps = mergeLayers(digests.map((digest) => entries.get(digest)!));
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    const pause = breath();
    if (pause) await pause;
    signal?.throwIfAborted();
  }
}
