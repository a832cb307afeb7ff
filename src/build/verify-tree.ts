import { isDeepStrictEqual } from 'node:util';
import { escapeName } from '../escape.js';
import { encodeImage } from '../format/image-encoder.js';
import type { ImageIndex } from '../format/image-index.js';
import { openLayerSection } from '../format/layer-section.js';
import { openIndex } from '../format/open-index.js';
import { comparePaths, type MergeEntry } from '../tree/entry.js';
import { mergeLayers } from '../tree/merge.js';
import type { Node } from '../tree/node.js';
import { bufferSource } from './build-index.js';
import type { Checking } from './verify-image.js';

/** Merges the index's own layers once more: the index that they make must be this one, to the byte. */
export async function checkTree({ index, description, findings }: Checking): Promise<void> {
  try {
    const rebuilt = await rebuild(index, description);
    if (rebuilt.identity === index.identity) return;
    const message = `the merged tree is not what the layers give${await firstDifference(index, rebuilt)}`;
    findings.add({ code: 'CORRUPT_INDEX', about: 'tree', message });
  } catch (error) {
    findings.caught(error, { about: 'tree' });
  }
}

async function rebuild(index: ImageIndex, description: Checking['description']): Promise<ImageIndex> {
  const { manifest, manifestMediaType, config, platform, spacing } = description;
  const known = new Map<string, { section: Uint8Array; entries: MergeEntry[] }>();
  for (const [i, { digest }] of index.layers.entries()) {
    if (known.has(digest)) continue;
    const section = await index.layerSection(i);
    const { mergeEntries } = await openLayerSection(bufferSource(section));
    known.set(digest, { section, entries: await mergeEntries() });
  }
  const of = (digest: string) => known.get(digest)!;
  const chunks = encodeImage({
    layers: index.layers.map(({ digest, mediaType }) => ({ section: of(digest).section, mediaType })),
    nodes: mergeLayers(index.layers.map(({ digest }) => of(digest).entries)),
    manifest,
    manifestMediaType,
    config,
    platform,
    spacing,
    sourceHint: undefined,
  });
  return openIndex(bufferSource(Buffer.concat(chunks)));
}

async function firstDifference(claim: ImageIndex, truth: ImageIndex): Promise<string> {
  const truths = nodesOf(truth);
  for await (const node of nodesOf(claim)) {
    const { value, done } = await truths.next();
    if (!done && isDeepStrictEqual(node, value)) continue;
    const path = done || comparePaths(node.path, value.path) < 0 ? node.path : value.path;
    return `, first at /${escapeName(path)}`;
  }
  const { value, done } = await truths.next();
  return done ? '' : `: /${escapeName(value.path)} is missing`;
}

async function* nodesOf(index: ImageIndex): AsyncGenerator<Node, void, undefined> {
  for await (const batch of index.walk('' as Node['path'])) yield* batch;
}
