import { isDeepStrictEqual } from 'node:util';
import type { ByteString } from '../bytes.js';
import { escapeName } from '../escape.js';
import { bufferSource } from '../format/buffer-source.js';
import { encodeImage } from '../format/image-encoder.js';
import type { ImageIndex } from '../format/image-index.js';
import { openIndex } from '../format/open-index.js';
import { each } from '../tree/each.js';
import { comparePaths } from '../tree/entry.js';
import { mergeSections } from './merge-sections.js';
import type { Checking } from './verify-checking.js';

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
  const truths = each(truth.walk('' as ByteString));
  for await (const node of each(claim.walk('' as ByteString))) {
    const { value, done } = await truths.next();
    if (!done && isDeepStrictEqual(node, value)) continue;
    const path = done || comparePaths(node.path, value.path) < 0 ? node.path : value.path;
    return `, first at /${escapeName(path)}`;
  }
  const { value, done } = await truths.next();
  return done ? '' : `: /${escapeName(value.path)} is missing`;
}
