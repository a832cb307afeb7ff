import { once } from '../once.js';
import { BlockCache } from './block-cache.js';
import { corruptIndex } from './corrupt.js';
import { sha256 } from './digest.js';
import { type FileDirectory, HEADER_BYTES, readFileDirectory, readHeader, readHint } from './file-head.js';
import { HeadSource } from './head-source.js';
import type { ByteSource, ImageDescription, ImageIndex } from './image-index.js';
import { type ImageFacts, readImageFacts } from './image-info.js';
import { type LayerFacts, readLayerFacts } from './layer-info.js';
import { createLayerMemory, LAYERS_AT_HAND, LayerSection } from './layer-section.js';
import { MergedTree } from './merged-tree.js';
import type { LayerInfo } from './model.js';
import { PREAMBLE_BYTES, SECTION_TYPE, STREAM } from './section.js';
import { readSectionHead, SectionReader } from './section-reader.js';

/** Bytes fetched with the first read; docs/format.md, "Opening". */
const FIRST_READ = 32_768;
/** Decoded blocks kept, besides two for each layer so that a walk finds each layer's current block. */
const CACHED_BLOCKS = 64;

/**
 * Opens an index. The header, the directory and what it tells of image and layers are checked here, everything else when it is
 * read. Throws ClipError CORRUPT_INDEX for what is damaged or no index, NEWER_INDEX for what a later clip made; so does every
 * method of the result.
 */
export async function openIndex(source: ByteSource): Promise<ImageIndex> {
  const file = new HeadSource(source);
  if (file.size < HEADER_BYTES) throw corruptIndex('header', 'the file is too short to be an index');
  await file.fetchHead(Math.min(FIRST_READ, source.head ?? FIRST_READ));
  const header = readHeader(await file.read(0, HEADER_BYTES));
  const directoryOffset = HEADER_BYTES + header.hintLength;
  const body = directoryOffset + header.directoryLength;
  if (body > file.size) throw corruptIndex('file', 'it ends before its directory does');
  const sourceHint = readHint(copy(await file.read(HEADER_BYTES, header.hintLength)), header);
  const directory = readFileDirectory(copy(await file.read(directoryOffset, header.directoryLength)), header);
  if (body + directory.length !== file.size) {
    throw corruptIndex('file', `it has ${file.size} bytes instead of ${body + directory.length}`);
  }
  const { image, number, layers } = readFacts(directory, header.minor);
  const cache = new BlockCache(CACHED_BLOCKS + 2 * Math.min(layers.length, LAYERS_AT_HAND));
  const memory = createLayerMemory();
  const open = (section: number) => openSection(file, { directory, section, body, cache });

  const opened = new Map<number, LayerSection>();
  const opening = new Map<number, Promise<LayerSection>>();
  const layerAt = (layer: number): LayerSection | Promise<LayerSection> => {
    const section = image.layers[layer]?.section;
    if (section === undefined) throw new RangeError(`there is no layer ${layer}`);
    const here = opened.get(section) ?? opening.get(section);
    if (here) return here;
    const loading = open(section)
      .then((reader) => {
        const made = new LayerSection(reader, memory);
        opened.set(section, made);
        return made;
      })
      .finally(() => opening.delete(section));
    opening.set(section, loading);
    return loading;
  };
  const imageSection = once(() => open(number));
  const tree = once(async () => {
    const entryCounts = layers.map((layer) => layer.entryCount);
    const merged = new MergedTree(await imageSection(), { entryCounts, layer: layerAt });
    if (merged.nodeCount !== image.nodeCount)
      throw corruptIndex('image section', 'its number of nodes differs');
    return merged;
  });

  return {
    identity: `sha256:${header.directoryDigest.toString('hex')}`,
    formatVersion: header.major,
    size: file.size,
    sourceHint,
    layers,
    nodeCount: image.nodeCount - 1,
    get bytesRead() {
      return file.bytesRead;
    },
    describe: async () => describe(image, await imageSection()),
    lookup: async (path) => (await tree()).lookup(path),
    async *children(path) {
      yield* (await tree()).children(path);
    },
    async *walk(path) {
      yield* (await tree()).walk(path);
    },
    async *pathsBelow(path) {
      yield* (await tree()).pathsBelow(path);
    },
    spans: async (layer, offset, length, most) => (await layerAt(layer)).spans(offset, length, most),
    spanContext: async (layer, span) => (await layerAt(layer)).context(span),
    layerSection: async (layer) => (await layerAt(layer)).section.verified(),
    close: () => file.close(),
  };
}

function copy(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes);
}

/** The image section, and the layers in its order, as the directory tells them. */
function readFacts(directory: FileDirectory, minor: number) {
  const { records } = directory;
  const number = records.findIndex((record) => record?.type === SECTION_TYPE.image);
  const record = records[number];
  if (!record || records.some((other, i) => i !== number && other?.type === SECTION_TYPE.image)) {
    throw corruptIndex('directory', 'there is not exactly one image section');
  }
  const image: ImageFacts = readImageFacts(record.info, minor, 'image section');
  if (image.nodeCount === 0) throw corruptIndex('image section', 'the merged tree has no root');
  const facts = new Map<number, LayerFacts>();
  const layers = image.layers.map(({ section, mediaType }): LayerInfo => {
    const layer = records[section];
    if (layer?.type !== SECTION_TYPE.layer)
      throw corruptIndex('image section', `section ${section} is no layer`);
    const known = facts.get(section) ?? readLayerFacts(layer.info, minor, `section ${section}`);
    facts.set(section, known);
    const { spacing, ...info } = known;
    if (spacing !== image.spacing) throw corruptIndex(`section ${section}`, 'its spacing is not the image’s');
    return { ...info, mediaType };
  });
  return { image, number, layers };
}

async function openSection(
  source: ByteSource,
  of: { directory: FileDirectory; section: number; body: number; cache: BlockCache },
): Promise<SectionReader> {
  const { directory, section, body, cache } = of;
  const record = directory.records[section]!;
  const offset = body + directory.offsets[section]!;
  const where = record.type === SECTION_TYPE.image ? 'image section' : `section ${section}`;
  if (PREAMBLE_BYTES + record.directoryLength > record.length) throw corruptIndex(where, 'it is too short');
  const head = await readSectionHead(source, { offset, where, expected: record });
  if (head.type !== record.type || head.length !== record.length || !head.info.equals(record.info)) {
    throw corruptIndex(where, 'it is not what the directory says');
  }
  return new SectionReader({ head, where, source, offset, cache, number: section });
}

async function describe(image: ImageFacts, section: SectionReader): Promise<ImageDescription> {
  const { manifestDigest, manifestMediaType, platform, spacing } = image;
  const manifest = await section.document(STREAM.manifest, image.manifestSize);
  const config = await section.document(STREAM.config, image.configSize);
  if (manifestDigest !== `sha256:${sha256(manifest).toString('hex')}`) {
    throw corruptIndex(section.where, 'the manifest does not match its digest');
  }
  return { manifest, manifestDigest, manifestMediaType, config, platform, spacing };
}
