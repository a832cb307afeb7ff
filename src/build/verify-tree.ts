import { isDeepStrictEqual } from 'node:util';
import { escapeName } from '../escape.js';
import { bufferSource } from '../format/buffer-source.js';
import { encodeImage } from '../format/image-encoder.js';
import type { ImageIndex } from '../format/image-index.js';
import { openIndex } from '../format/open-index.js';
import { comparePaths } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import { mergeSections } from './merge-sections.js';
import type { Checking } from './verify-image.js';

/** Merges the index's own layers once more: the index that they make must be this one, to the byte. */
export async function checkTree(checking: Checking): Promise<void> {
  const { index, findings } = checking;
  try {
    const rebuilt = await rebuild(checking);
    if (rebuilt.identity === index.identity) return;
    const message = `the merged tree is not what the layers give${await firstDifference(index, rebuilt)}`;
    findings.add({ code: 'CORRUPT_INDEX', about: 'tree', message });
  } catch (error) {
    findings.caught(error, { about: 'tree' });
  }
}

async function rebuild({ index, description, options }: Checking): Promise<ImageIndex> {
  const { manifest, manifestMediaType, config, platform, spacing } = description;
  const sections = new Map<string, Uint8Array>();
  for (const [i, { digest }] of index.layers.entries()) {
    if (!sections.has(digest)) sections.set(digest, await index.layerSection(i));
  }
  const chunks = encodeImage({
    layers: index.layers.map(({ digest, mediaType }) => ({ section: sections.get(digest)!, mediaType })),
    nodes: await mergeSections(
      index.layers.map(({ digest }) => digest),
      sections,
      options.signal,
    ),
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
