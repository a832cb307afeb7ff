import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { corruptIndex, newerIndex } from './corrupt.js';
import { sha256 } from './digest.js';
import {
  FORMAT_MAJOR,
  FORMAT_MINOR,
  MAX_BLOCK,
  MAX_BLOCK_ITEMS,
  MAX_DIRECTORY,
  MAX_ITEMS,
} from './limits.js';

/**
 * A section: preamble, directory, blocks (docs/format.md, "Sections"). The directory tells each stream's blocks with their
 * digests; the preamble holds the directory's digest, so a section can be checked alone, as a blob of its own.
 */

export const SECTION_MAGIC = Buffer.from('\x89CLSE\r\n\x1a', 'latin1');
export const PREAMBLE_BYTES = 48;

export const SECTION_TYPE = { image: 1, layer: 2 } as const;
export type SectionType = (typeof SECTION_TYPE)[keyof typeof SECTION_TYPE];

export const STREAM = {
  keys: 1,
  merge: 2,
  manifest: 3,
  config: 4,
  entries: 16,
  xattrs: 17,
  extents: 18,
  spans: 19,
  windows: 20,
} as const;
const STREAM_NAMES = new Map<number, string>(Object.entries(STREAM).map(([name, id]) => [id, name]));

/** Streams whose blocks hold a number of items each; the others are bytes. */
const ITEMISED: ReadonlySet<number> = new Set([STREAM.keys, STREAM.merge, STREAM.entries, STREAM.spans]);

const CRITICAL = 1;
const KEYED = 2;

export interface EncodedBlock {
  stored: Uint8Array;
  decodedLength: number;
  /** Records that begin in this block. */
  items: number;
  /** In a keyed stream: the ordinate of the block's first item, ascending over the blocks. */
  key: number;
}

export interface EncodedStream {
  id: number;
  keyed?: boolean;
  blocks: readonly EncodedBlock[];
}

/** Puts a section together. The bytes depend on the arguments alone. */
export function encodeSection(
  type: SectionType,
  info: Uint8Array,
  streams: readonly EncodedStream[],
): Buffer {
  const directory = new ByteWriter(4096);
  directory.varint(type);
  directory.varint(info.length);
  directory.bytes(info);
  const present = streams.filter((stream) => stream.blocks.length > 0);
  directory.varint(present.length);
  for (const stream of present) {
    directory.varint(stream.id);
    directory.varint(CRITICAL | (stream.keyed ? KEYED : 0));
    directory.varint(stream.blocks.length);
    let key = 0;
    for (const block of stream.blocks) {
      directory.varint(block.stored.length);
      directory.varint(block.decodedLength);
      directory.varint(block.items);
      if (stream.keyed) {
        directory.varint(block.key - key);
        key = block.key;
      }
      directory.bytes(sha256(block.stored));
    }
  }
  const preamble = new ByteWriter(PREAMBLE_BYTES);
  preamble.bytes(SECTION_MAGIC);
  preamble.u16(FORMAT_MAJOR);
  preamble.u16(FORMAT_MINOR);
  preamble.u32(directory.length);
  preamble.bytes(sha256(directory.view()));
  const blocks = present.flatMap((stream) => stream.blocks.map((block) => block.stored));
  return Buffer.concat([preamble.view(), directory.view(), ...blocks]);
}

export interface Preamble {
  minor: number;
  directoryLength: number;
  directoryDigest: Buffer;
}

/** Reads the 48 bytes that a section begins with. */
export function readPreamble(bytes: Uint8Array, where: string): Preamble {
  const reader = new ByteReader(bytes, `${where}, preamble`);
  if (!reader.take(SECTION_MAGIC.length).equals(SECTION_MAGIC)) reader.fail('no section begins here');
  const major = reader.u16();
  const minor = reader.u16();
  if (major > FORMAT_MAJOR) throw newerIndex(where, `format ${major}.${minor}`);
  if (major < FORMAT_MAJOR) reader.fail(`format ${major}.${minor}`);
  const directoryLength = reader.u32();
  if (directoryLength > MAX_DIRECTORY) reader.fail(`directory of ${directoryLength} bytes`);
  return { minor, directoryLength, directoryDigest: reader.take(32) };
}

/** Where the blocks of one stream are; arrays have one element a block. */
export interface Stream {
  name: string;
  count: number;
  /** Byte of the section at which the stored block begins. */
  offset: Float64Array;
  stored: Uint32Array;
  decoded: Uint32Array;
  /** Items before the block; one element more than blocks: the last is the sum. */
  firstItem: Float64Array;
  /** Decoded bytes before the block; one element more than blocks. */
  firstByte: Float64Array;
  /** Zeros, where the stream is not keyed. */
  key: Float64Array;
  /** The section's directory, and where in it each block's digest lies: 32 bytes. */
  directory: Buffer;
  digestAt: Uint32Array;
}

export interface SectionHead extends Preamble {
  type: number;
  info: Buffer;
  streams: ReadonlyMap<number, Stream>;
  /** Bytes of the section: preamble, directory and all blocks. */
  length: number;
}

/** Checks a section's directory against the preamble's digest and decodes it. */
export function readSectionDirectory(bytes: Buffer, preamble: Preamble, where: string): SectionHead {
  if (!sha256(bytes).equals(preamble.directoryDigest)) {
    throw corruptIndex(where, 'its directory does not match its digest');
  }
  const reader = new ByteReader(bytes, `${where}, directory`);
  const type = reader.varint();
  const info = reader.take(reader.count(1, 'length of info'));
  let offset = PREAMBLE_BYTES + bytes.length;
  const streams = new Map<number, Stream>();
  const streamCount = reader.count(3, 'number of streams');
  let lastId = -1;
  for (let i = 0; i < streamCount; i++) {
    const id = reader.varint();
    if (id <= lastId) reader.fail('streams are not in ascending order');
    lastId = id;
    const flags = reader.varint();
    const name = STREAM_NAMES.get(id);
    if (name === undefined && flags % 2 === CRITICAL) throw newerIndex(where, `stream ${id}`);
    const keyed = Math.floor(flags / KEYED) % 2 === 1;
    const stream = readStream(reader, { id, keyed, offset, directory: bytes });
    offset = stream.offset[stream.count - 1]! + stream.stored[stream.count - 1]!;
    if (name !== undefined) streams.set(id, stream);
  }
  reader.done();
  return { ...preamble, type, info, streams, length: offset };
}

function readStream(
  reader: ByteReader,
  of: { id: number; keyed: boolean; offset: number; directory: Buffer },
): Stream {
  const { id, keyed, directory } = of;
  let { offset } = of;
  const known = STREAM_NAMES.has(id);
  const name = STREAM_NAMES.get(id) ?? `${id}`;
  const count = reader.count(32 + 3 + (keyed ? 1 : 0), `number of ${name} blocks`);
  if (count === 0) reader.fail(`stream ${name} has no block`);
  const stream: Stream = {
    name,
    count,
    offset: new Float64Array(count),
    stored: new Uint32Array(count),
    decoded: new Uint32Array(count),
    firstItem: new Float64Array(count + 1),
    firstByte: new Float64Array(count + 1),
    key: new Float64Array(count),
    directory,
    digestAt: new Uint32Array(count),
  };
  const mostItems = known ? MAX_BLOCK_ITEMS : MAX_ITEMS;
  let key = 0;
  for (let i = 0; i < count; i++) {
    const stored = reader.varint();
    const decoded = reader.varint();
    if (decoded > MAX_BLOCK) reader.fail(`decoded length ${decoded} exceeds ${MAX_BLOCK}`);
    if (stored < 1 || stored > decoded) reader.fail(`block of ${stored} stored bytes for ${decoded}`);
    const items = reader.varint();
    if (items > mostItems) reader.fail(`number of items ${items} exceeds ${mostItems}`);
    if (items === 0 && ITEMISED.has(id)) reader.fail(`a block of ${name} has no item`);
    if (keyed) {
      const delta = reader.varint();
      if (i > 0 && delta === 0) reader.fail('keys do not ascend');
      key += delta;
      if (!Number.isSafeInteger(key)) reader.fail('key exceeds 2^53-1');
    }
    stream.key[i] = key;
    stream.offset[i] = offset;
    stream.stored[i] = stored;
    stream.decoded[i] = decoded;
    stream.firstItem[i + 1] = stream.firstItem[i]! + items;
    stream.firstByte[i + 1] = stream.firstByte[i]! + decoded;
    stream.digestAt[i] = reader.position;
    reader.skip(32);
    offset += stored;
  }
  if (stream.firstItem[count]! > MAX_ITEMS && known) reader.fail(`too many ${name}`);
  return stream;
}

/** The block that holds item `ordinal` of a stream (binary search), or -1 when there is none. */
export function blockOfItem(stream: Stream, ordinal: number): number {
  return lastAtMost(stream.firstItem, stream.count, ordinal, ordinal < stream.firstItem[stream.count]!);
}

/** The block that holds decoded byte `position` of a stream, or -1. */
export function blockOfByte(stream: Stream, position: number): number {
  return lastAtMost(stream.firstByte, stream.count, position, position < stream.firstByte[stream.count]!);
}

/** The last block of a keyed stream whose key is at most `ordinate`, or -1. */
export function blockOfKey(stream: Stream, ordinate: number): number {
  return lastAtMost(stream.key, stream.count, ordinate, true);
}

function lastAtMost(starts: Float64Array, count: number, value: number, inside: boolean): number {
  if (!inside) return -1;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
