import { openBlock } from './block-decoder.js';
import { corruptIndex } from './corrupt.js';
import { decodeEntries, type EntryBlock } from './entries-decode.js';
import { readLayerFacts } from './layer-info.js';
import type { EntryFacts } from './merge-encode.js';
import { blockOfItem, type SectionHead, STREAM } from './section.js';

/**
 * Paths of a layer's entries, for the encoder of the merge, from the section's bytes in memory. One block at a time is decoded,
 * since the merge asks in ascending order.
 */
export function createEntryPaths(
  bytes: Uint8Array,
  head: SectionHead,
): (entry: number) => ReturnType<EntryFacts> {
  const { uncompressedSize } = readLayerFacts(head.info, head.minor, 'layer');
  const stream = head.streams.get(STREAM.entries);
  let block: EntryBlock | undefined;
  return (entry) => {
    if (!block || entry < block.first || entry >= block.first + block.count) {
      const index = stream ? blockOfItem(stream, entry) : -1;
      if (!stream || index < 0) throw corruptIndex('layer', `there is no entry ${entry}`);
      const where = `layer, entries block ${index}`;
      const stored = bytes.subarray(stream.offset[index]!, stream.offset[index]! + stream.stored[index]!);
      const first = stream.firstItem[index]!;
      block = decodeEntries(openBlock(stored, { stream, index, where }), {
        first,
        count: stream.firstItem[index + 1]! - first,
        uncompressedSize,
        where,
      });
    }
    return { path: block.paths.at(entry - block.first), beginsBlock: entry === block.first };
  };
}
