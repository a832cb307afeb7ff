import { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { check } from './corrupt.js';
import { readDigest, writeDigest } from './digest.js';
import { FORMAT_MINOR, MAX_ENTRIES, MAX_SPACING, MAX_SPANS, MIN_SPACING } from './limits.js';
import type { Encoding, LayerInfo } from './model.js';

export const ENCODINGS: readonly Encoding[] = ['gzip', 'zstd', 'plain'];

/** What a layer's section tells of its layer: all but the media type, which is the image's matter, and the spacing. */
export interface LayerFacts extends Omit<LayerInfo, 'mediaType'> {
  spacing: number;
}

export function writeLayerFacts(out: ByteWriter, facts: LayerFacts): void {
  check(facts.spacing >= MIN_SPACING && facts.spacing <= MAX_SPACING, `spacing ${facts.spacing}`);
  writeDigest(out, facts.digest);
  writeDigest(out, facts.diffId);
  out.varint(facts.size);
  out.varint(facts.uncompressedSize);
  out.u8(ENCODINGS.indexOf(facts.encoding));
  out.varint(facts.spacing);
  out.varint(facts.entryCount);
  out.varint(facts.spanCount);
}

/** `minor`: of the section; a later minor version may have appended fields. */
export function readLayerFacts(bytes: Uint8Array, minor: number, where: string): LayerFacts {
  const reader = new ByteReader(bytes, `${where}, info`);
  const digest = readDigest(reader);
  const diffId = readDigest(reader);
  const size = reader.varint();
  const uncompressedSize = reader.varint();
  const encoding = ENCODINGS[reader.u8()];
  if (encoding === undefined) return reader.fail('unknown encoding');
  const spacing = reader.upTo(MAX_SPACING, 'spacing');
  if (spacing < MIN_SPACING) reader.fail(`spacing ${spacing}`);
  const entryCount = reader.upTo(MAX_ENTRIES, 'number of entries');
  const spanCount = reader.upTo(MAX_SPANS, 'number of spans');
  if (minor <= FORMAT_MINOR) reader.done();
  return { digest, diffId, size, uncompressedSize, encoding, spacing, entryCount, spanCount };
}
