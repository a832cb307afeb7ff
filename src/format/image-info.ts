import { byteStringToText, textToByteString } from '../bytes.js';
import { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { beyondLimit, check } from './corrupt.js';
import { readDigest, writeDigest } from './digest.js';
import {
  FORMAT_MINOR,
  MAX_DOCUMENT,
  MAX_ITEMS,
  MAX_LAYERS,
  MAX_SPACING,
  MAX_TEXT,
  MIN_SPACING,
} from './limits.js';

/** What the image section tells of the image, at hand as soon as the index is open. */
export interface ImageFacts {
  manifestDigest: string;
  manifestMediaType: string;
  /** Bytes of the manifest and of the config, in the streams of these names. */
  manifestSize: number;
  configSize: number;
  platform: string;
  spacing: number;
  /** Names in the merged tree, the root included. */
  nodeCount: number;
  /** Base first. `section`: number of the layer's section in the file; a layer that occurs twice shares one. */
  layers: readonly { section: number; mediaType: string }[];
}

export function writeImageFacts(out: ByteWriter, facts: ImageFacts): void {
  requireTexts(facts);
  writeDigest(out, facts.manifestDigest);
  writeText(out, facts.manifestMediaType);
  out.varint(facts.manifestSize);
  out.varint(facts.configSize);
  writeText(out, facts.platform);
  out.varint(facts.spacing);
  out.varint(facts.nodeCount);
  const mediaTypes = [...new Set(facts.layers.map((layer) => layer.mediaType))];
  out.varint(mediaTypes.length);
  for (const mediaType of mediaTypes) writeText(out, mediaType);
  check(facts.layers.length <= MAX_LAYERS, `${facts.layers.length} layers`);
  out.varint(facts.layers.length);
  for (const { section, mediaType } of facts.layers) {
    out.varint(section);
    out.varint(mediaTypes.indexOf(mediaType));
  }
}

/** `minor`: of the section; a later minor version may have appended fields. */
export function readImageFacts(bytes: Uint8Array, minor: number, where: string): ImageFacts {
  const reader = new ByteReader(bytes, `${where}, info`);
  const manifestDigest = readDigest(reader);
  const manifestMediaType = readText(reader, 'media type');
  const manifestSize = reader.upTo(MAX_DOCUMENT, 'size of the manifest');
  const configSize = reader.upTo(MAX_DOCUMENT, 'size of the config');
  const platform = readText(reader, 'platform');
  const spacing = reader.upTo(MAX_SPACING, 'spacing');
  if (spacing < MIN_SPACING) reader.fail(`spacing ${spacing}`);
  const nodeCount = reader.upTo(MAX_ITEMS, 'number of nodes');
  const mediaTypes: string[] = [];
  const mediaTypeCount = reader.count(1, 'number of media types');
  for (let i = 0; i < mediaTypeCount; i++) mediaTypes.push(readText(reader, 'media type'));
  const layers: ImageFacts['layers'][number][] = [];
  const layerCount = Math.min(reader.count(2, 'number of layers'), MAX_LAYERS + 1);
  if (layerCount > MAX_LAYERS) reader.fail('too many layers');
  for (let i = 0; i < layerCount; i++) {
    const section = reader.varint();
    const mediaType = mediaTypes[reader.varint()];
    if (mediaType === undefined) return reader.fail('unknown media type');
    layers.push({ section, mediaType });
  }
  if (minor <= FORMAT_MINOR) reader.done();
  return {
    manifestDigest,
    manifestMediaType,
    manifestSize,
    configSize,
    platform,
    spacing,
    nodeCount,
    layers,
  };
}

/** Before any layer is scanned for them. Throws LIMIT where the format cannot carry what an image says of itself. */
export function requireTexts(of: {
  manifestMediaType: string;
  platform: string;
  layers: readonly { mediaType: string }[];
}): void {
  for (const text of [of.manifestMediaType, of.platform, ...of.layers.map((layer) => layer.mediaType)]) {
    const { length } = textToByteString(text);
    if (length > MAX_TEXT) throw beyondLimit(`a media type or platform has ${length} bytes`);
  }
}

function writeText(out: ByteWriter, text: string): void {
  out.prefixed(textToByteString(text));
}

function readText(reader: ByteReader, what: string): string {
  return byteStringToText(reader.prefixed(MAX_TEXT, what));
}
