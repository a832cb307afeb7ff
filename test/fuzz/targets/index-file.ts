import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { ByteString } from '../../../src/bytes.js';
import { isClipError } from '../../../src/errors.js';
import { bufferSource } from '../../../src/format/buffer-source.js';
import type { ImageIndex } from '../../../src/format/image-index.js';
import { openLayerSection } from '../../../src/format/layer-section.js';
import { openIndex } from '../../../src/format/open-index.js';
import { comparePaths, extentsOf } from '../../../src/tree/entry.js';
import type { Node } from '../../../src/tree/node.js';
import { allOf } from '../../support/all-of.js';
import {
  forgeDirectory,
  forgeFileDirectory,
  type Parts,
  putTogether,
  replaceSection,
  split,
  takeApart,
} from '../../support/forge.js';
import { imageArbitrary } from '../../support/index-arbitraries.js';
import { encodeFile } from '../../support/index-file.js';
import { mutateBytes } from '../mutate-bytes.js';
import { hashOf, type Random } from '../random.js';
import type { Outcome, Target } from '../target.js';

/**
 * Index files whose every digest holds: what someone with bad intent can write. Answers must be CORRUPT_INDEX or NEWER_INDEX, or agree
 * with one another: the walk, lookups, listings and spans tell one story. The same file may not take more than its own size allows.
 */
export function indexTarget(): Target {
  return {
    name: 'index',
    code: ['format/'],
    seeds: () => fc.sample(imageArbitrary, { seed: 7, numRuns: 10 }).map((image) => encodeFile(image)),
    mutate(input, other, random) {
      const bytes = Buffer.from(input);
      try {
        return forge(bytes, Buffer.from(other), random);
      } catch {
        // It does not come apart any more: its digests go wrong, or it is grown anew.
        return random.oneIn(2) ? mutateBytes(bytes, other, random) : forge(Buffer.from(seed), bytes, random);
      }
    },
    async run(input): Promise<Outcome> {
      try {
        await ask(Buffer.from(input));
        return 'taken';
      } catch (error) {
        if (isClipError(error) && error.code !== 'CORRUPT_INDEX' && error.code !== 'NEWER_INDEX')
          throw new Error(`refused with ${error.code}`);
        throw error;
      }
    },
  };
}

const seed = encodeFile(fc.sample(imageArbitrary, { seed: 3, numRuns: 1 })[0]!);

function forge(file: Buffer, other: Buffer, random: Random): Buffer {
  switch (random.below(6)) {
    case 0:
      return forgeFileDirectory(file, (directory) => mutateBytes(directory, other, random));
    case 1: {
      const { sections } = split(file);
      const number = random.below(sections.length);
      const section = forgeDirectory(Buffer.from(sections[number]!), (directory) =>
        mutateBytes(directory, other, random),
      );
      return replaceSection(file, number, section);
    }
    default: {
      const parts = takeApart(file);
      for (let n = 1 + random.below(3); n > 0; n--) changeParts(parts, other, random);
      return putTogether(parts);
    }
  }
}

function changeParts(parts: Parts, other: Buffer, random: Random): void {
  const section = random.pick(parts.sections);
  const streams = section.streams;
  const stream = random.pick(streams);
  const block = stream && random.pick(stream.blocks);
  switch (block === undefined ? 0 : random.below(9)) {
    case 0:
      section.info = mutateBytes(section.info, other, random);
      break;
    case 1:
      block!.items = Math.max(0, block!.items + random.below(5) - 2);
      break;
    case 2:
      block!.key = Math.max(0, block!.key + random.pick([1, -1, 131072, 2 ** 40]));
      break;
    case 3:
      stream!.blocks.splice(random.below(stream!.blocks.length), random.below(2), structuredClone(block!));
      break;
    default:
      block!.decoded = Buffer.from(mutateBytes(block!.decoded, block!.decoded, random));
      if (block!.decoded.length === 0) block!.decoded = Buffer.alloc(1);
  }
}

/** Asks for everything twice over, in different ways. */
async function ask(file: Buffer): Promise<void> {
  const index = await openIndex(bufferSource(file));
  const nodes: Node[] = [];
  let paths = 0;
  for await (const batch of index.walk('' as ByteString)) {
    nodes.push(...batch);
    paths += batch.reduce((sum, { path }) => sum + path.length, 0);
    // A block of three bytes may not unfold to more than 256 KiB of paths.
    if (paths > 16 << 20) throw new Error(`${paths} bytes of paths out of ${file.length}`);
  }
  checkNodes(index, nodes);
  for (const node of chosen(nodes, hashOf(file))) await checkNode(index, node, nodes);
  for (let layer = 0; layer < index.layers.length; layer++) await checkLayer(index, layer);
  const description = await index.describe();
  const digest = createHash('sha256').update(description.manifest).digest('hex');
  if (description.manifestDigest !== `sha256:${digest}`) throw new Error('a manifest with another digest');
}

function checkNodes(index: ImageIndex, nodes: readonly Node[]): void {
  if (nodes[0]?.path !== '' || nodes.length !== index.nodeCount + 1)
    throw new Error(`a walk of ${nodes.length} nodes`);
  for (const [i, { path, entry, layer, nlink }] of nodes.entries()) {
    if (i > 0 && comparePaths(nodes[i - 1]!.path, path) >= 0) throw new Error('a walk out of order');
    if (layer >= index.layers.length || layer < -1 || nlink < 1) throw new Error('a node that is not sound');
    let reached = 0;
    for (const { logical, offset, length } of extentsOf(entry)) {
      const end = offset + length;
      if (
        logical < reached ||
        length < 0 ||
        logical + length > entry.size ||
        end > index.layers[layer]!.uncompressedSize
      )
        throw new Error(`extents that are not sound: ${JSON.stringify(entry)}`);
      reached = logical + length;
    }
  }
}

function chosen(nodes: readonly Node[], by: number): Node[] {
  return Array.from({ length: Math.min(8, nodes.length) }, (_, i) => nodes[(by + i * 7919) % nodes.length]!);
}

async function checkNode(index: ImageIndex, node: Node, nodes: readonly Node[]): Promise<void> {
  const found = await index.lookup(node.path);
  // Lookups search, so a forged order can hide from them what a walk shows; its maker could as well have left it out.
  if (found !== undefined && !isDeepStrictEqual(found, node))
    throw new Error(`a lookup of ${JSON.stringify(node.path)} finds another node than the walk`);
  if (node.entry.type !== 'directory') return;
  const below = node.path === '' ? '' : `${node.path}/`;
  const listed = (await allOf(index.children(node.path))).map(({ path }) => path);
  const walked = new Set<string>(nodes.map(({ path }) => path));
  const isBelow = (path: string) =>
    path !== '' && path.startsWith(below) && !path.slice(below.length).includes('/');
  if (!listed.every((path) => walked.has(path) && isBelow(path)))
    throw new Error('a listing that differs from the walk');
  for await (const run of index.pathsBelow(node.path)) {
    for (let i = 0; i < run.count; i++) {
      if (!walked.has(run.at(i)) || !run.at(i).startsWith(below))
        throw new Error('a path that no walk shows');
    }
  }
}

async function checkLayer(index: ImageIndex, layer: number): Promise<void> {
  const info = index.layers[layer]!;
  const spans = await index.spans(layer, 0, Number.MAX_SAFE_INTEGER);
  let offset = 0;
  for (const span of spans) {
    if (span.offset !== offset || span.length < 1 || span.end > info.size || span.byte >= span.end)
      throw new Error(`a span that is not sound: ${JSON.stringify(span)}`);
    offset += span.length;
    const { window, header } = await index.spanContext(layer, span);
    if (window.length > 32768 || (header?.bytes.length ?? 0) > 600)
      throw new Error('a context that is too large');
  }
  if (offset !== info.uncompressedSize) throw new Error(`spans end at ${offset} of ${info.uncompressedSize}`);
  const section = await openLayerSection(bufferSource(Buffer.from(await index.layerSection(layer))));
  if ((await allOf(section.entries())).length !== info.entryCount)
    throw new Error('a section with another number of entries');
}
