import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { check, corruptIndex, newerIndex, noIndex } from './corrupt.js';
import { sha256 } from './digest.js';
import { FORMAT_MAJOR, MAX_DIRECTORY, MAX_HINT, MAX_SECTIONS } from './limits.js';
import { FILE_MAGIC } from './magic.js';
import { SECTION_TYPE } from './section.js';

/**
 * Header, source hint and directory: what an index file begins with (docs/format.md, "Header"). Sections follow without gaps,
 * in the directory's order, so their offsets need not be told.
 */

export const HEADER_BYTES = 64;
const HINT_CHECK_BYTES = 12;
const CRITICAL = 1;

export interface SectionRecord {
  type: number;
  /** Bytes of the section. */
  length: number;
  directoryLength: number;
  directoryDigest: Buffer;
  /** The same bytes as in the section's own directory. */
  info: Buffer;
}

/** `minor`: the highest of the sections'. */
export function encodeFileHead(
  sections: readonly SectionRecord[],
  { sourceHint, minor }: { sourceHint: string | undefined; minor: number },
): Buffer {
  const directory = new ByteWriter(1024);
  directory.u16(FORMAT_MAJOR);
  directory.u16(minor);
  directory.varint(sections.length);
  for (const section of sections) {
    directory.varint(section.type);
    directory.varint(CRITICAL);
    directory.varint(section.length);
    directory.varint(section.directoryLength);
    directory.bytes(section.directoryDigest);
    directory.varint(section.info.length);
    directory.bytes(section.info);
  }
  const bytes = directory.view();
  const facts = { major: FORMAT_MAJOR, minor, directoryLength: bytes.length, directoryDigest: sha256(bytes) };
  return Buffer.concat([encodeHeader(facts, sourceHint), bytes]);
}

/** Header and source hint. */
function encodeHeader(
  facts: Pick<Header, 'major' | 'minor' | 'directoryLength' | 'directoryDigest'>,
  sourceHint: string | undefined,
): Buffer {
  const hint = Buffer.from(sourceHint ?? '', 'utf8');
  check(hint.length <= MAX_HINT, `source hint of ${hint.length} bytes`);
  const header = new ByteWriter(HEADER_BYTES);
  header.bytes(FILE_MAGIC);
  header.u16(facts.major);
  header.u16(facts.minor);
  header.u32(facts.directoryLength);
  header.bytes(facts.directoryDigest);
  header.u32(hint.length);
  header.bytes(sha256(hint).subarray(0, HINT_CHECK_BYTES));
  return Buffer.concat([header.view(), hint]);
}

/**
 * The beginning of an index file (its header and hint at least) with another hint; the identity stays. Throws CORRUPT_INDEX,
 * NEWER_INDEX.
 */
export function replaceHint(start: Uint8Array, sourceHint: string | undefined): Buffer {
  const header = readHeader(Buffer.from(start.subarray(0, HEADER_BYTES)));
  return Buffer.concat([encodeHeader(header, sourceHint), start.subarray(HEADER_BYTES + header.hintLength)]);
}

export interface Header {
  major: number;
  minor: number;
  directoryLength: number;
  directoryDigest: Buffer;
  hintLength: number;
  hintCheck: Buffer;
}

export function readHeader(bytes: Uint8Array): Header {
  const reader = new ByteReader(bytes, 'header');
  if (!reader.take(FILE_MAGIC.length).equals(FILE_MAGIC)) throw noIndex('header');
  const major = reader.u16();
  const minor = reader.u16();
  if (major > FORMAT_MAJOR) throw newerIndex('header', `format ${major}.${minor}`);
  if (major < FORMAT_MAJOR) reader.fail(`format ${major}.${minor}`);
  const directoryLength = reader.u32();
  if (directoryLength > MAX_DIRECTORY) reader.fail(`directory of ${directoryLength} bytes`);
  const directoryDigest = reader.take(32);
  const hintLength = reader.u32();
  if (hintLength > MAX_HINT) reader.fail(`source hint of ${hintLength} bytes`);
  return {
    major,
    minor,
    directoryLength,
    directoryDigest,
    hintLength,
    hintCheck: reader.take(HINT_CHECK_BYTES),
  };
}

/** The hint's check is against accidents alone: whoever changes the hint can change it too. */
export function readHint(bytes: Buffer, header: Header): string | undefined {
  if (!sha256(bytes).subarray(0, HINT_CHECK_BYTES).equals(header.hintCheck)) {
    throw corruptIndex('source hint', 'it does not match its check bytes');
  }
  return bytes.length === 0 ? undefined : bytes.toString('utf8');
}

/** Records by number; sections of a type that this reader does not know and need not know are undefined. */
export interface FileDirectory {
  records: readonly (SectionRecord | undefined)[];
  /** Of each section, known or not: bytes from the first section's beginning, and bytes of it. */
  offsets: readonly number[];
  lengths: readonly number[];
  /** Of all sections, bytes. */
  length: number;
}

export function readFileDirectory(bytes: Buffer, header: Header): FileDirectory {
  if (!sha256(bytes).equals(header.directoryDigest))
    throw corruptIndex('directory', 'it does not match its digest');
  const reader = new ByteReader(bytes, 'directory');
  if (reader.u16() !== header.major || reader.u16() !== header.minor)
    reader.fail('its version is not the header’s');
  const count = reader.count(37, 'number of sections');
  if (count > MAX_SECTIONS) reader.fail(`${count} sections`);
  const known: readonly number[] = Object.values(SECTION_TYPE);
  const records: (SectionRecord | undefined)[] = [];
  const offsets: number[] = [];
  const lengths: number[] = [];
  let offset = 0;
  for (let i = 0; i < count; i++) {
    const type = reader.varint();
    const flags = reader.varint();
    const length = reader.varint();
    const directoryLength = reader.upTo(Math.min(length, MAX_DIRECTORY), 'length of a directory');
    const directoryDigest = reader.take(32);
    const info = reader.take(reader.count(1, 'length of info'));
    const knows = known.includes(type);
    if (!knows && flags % 2 === CRITICAL) throw newerIndex('directory', `section of type ${type}`);
    records.push(knows ? { type, length, directoryLength, directoryDigest, info } : undefined);
    offsets.push(offset);
    lengths.push(length);
    offset += length;
    if (!Number.isSafeInteger(offset)) reader.fail('sections exceed 2^53-1 bytes');
  }
  reader.done();
  return { records, offsets, lengths, length: offset };
}
