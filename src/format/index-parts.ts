import { BlockCache } from './block-cache.js';
import { corruptIndex } from './corrupt.js';
import { HEADER_BYTES, readFileDirectory, readHeader, replaceHint, type SectionRecord } from './file-head.js';
import type { ByteSource } from './image-index.js';
import { readLayerFacts } from './layer-info.js';
import { SECTION_TYPE } from './section.js';
import { readSectionHead, SectionReader } from './section-reader.js';

/** A part of an index file that travels as a blob of its own. */
export interface IndexPart {
  /** Bytes of the file. */
  offset: number;
  length: number;
  /** Digest of the layer whose section this is; undefined for a kind of section that this version does not know. */
  layer: string | undefined;
}

/** An index file taken apart; `head`, then the parts in order, are the file again, without its source hint. */
export interface IndexParts {
  /** Header, directory and image section; its hint is empty, so that nothing of the machine that built it travels. */
  head: Uint8Array;
  /** `sha256:<hex>` of the directory. */
  identity: string;
  /** `major.minor` */
  format: string;
  /** The sections after the image's. */
  parts: readonly IndexPart[];
}

/**
 * Takes an index file apart as it is stored in a registry (docs/format.md, "In a registry"). Only the directory is verified here;
 * `openIndex` and its readers verify the rest. Throws CORRUPT_INDEX, NEWER_INDEX, and what the source throws.
 */
export async function readIndexParts(source: ByteSource): Promise<IndexParts> {
  const { header, directory, body } = await readDirectory(source);
  const [image, ...others] = directory.records;
  if (image?.type !== SECTION_TYPE.image)
    throw corruptIndex('directory', 'the image section is not the first');
  const start = await source.read(0, body + image.length);
  return {
    head: replaceHint(start, undefined),
    identity: `sha256:${header.directoryDigest.toString('hex')}`,
    format: `${header.major}.${header.minor}`,
    parts: others.map((record, i) => ({
      offset: body + directory.offsets[i + 1]!,
      length: directory.lengths[i + 1]!,
      layer: layerOf(record, header.minor),
    })),
  };
}

/** Checks every block of an index file against its digest. Throws as `readIndexParts` does. */
export async function verifyIndexBlocks(source: ByteSource): Promise<void> {
  const { directory, body } = await readDirectory(source);
  for (const [number, record] of directory.records.entries()) {
    if (!record) continue;
    const offset = body + directory.offsets[number]!;
    const where = record.type === SECTION_TYPE.image ? 'image section' : `section ${number}`;
    const head = await readSectionHead(source, { offset, where, expected: record });
    if (head.length !== record.length) throw corruptIndex(where, 'it is not what the directory says');
    await new SectionReader({ head, where, source, offset, cache: new BlockCache(1), number }).verified();
  }
}

async function readDirectory(source: ByteSource) {
  if (source.size < HEADER_BYTES) throw corruptIndex('header', 'the file is too short to be an index');
  const header = readHeader(Buffer.from(await source.read(0, HEADER_BYTES)));
  const offset = HEADER_BYTES + header.hintLength;
  const body = offset + header.directoryLength;
  if (body > source.size) throw corruptIndex('file', 'it ends before its directory does');
  const bytes = Buffer.from(await source.read(offset, header.directoryLength));
  const directory = readFileDirectory(bytes, header);
  if (body + directory.length !== source.size) {
    throw corruptIndex('file', `it has ${source.size} bytes instead of ${body + directory.length}`);
  }
  return { header, directory, body };
}

function layerOf(record: SectionRecord | undefined, minor: number): string | undefined {
  if (record?.type !== SECTION_TYPE.layer) return undefined;
  return readLayerFacts(record.info, minor, 'directory').digest;
}
