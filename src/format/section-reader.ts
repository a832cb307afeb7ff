import type { BlockCache } from './block-cache.js';
import { openBlock } from './block-decoder.js';
import { corruptIndex } from './corrupt.js';
import type { ByteSource } from './image-index.js';
import {
  blockOfByte,
  PREAMBLE_BYTES,
  type Preamble,
  readPreamble,
  readSectionDirectory,
  type SectionHead,
  type Stream,
} from './section.js';

/** Bytes of a section that is opened alone, fetched with the first read. */
const FIRST_READ = 16_384;

/** An opened section: its directory is verified, and so is every block before it is decoded. */
export class SectionReader {
  readonly head: SectionHead;
  readonly where: string;
  readonly #source: ByteSource;
  readonly #offset: number;
  readonly #cache: BlockCache;
  readonly #number: number;

  constructor(of: {
    head: SectionHead;
    where: string;
    source: ByteSource;
    /** Of the section in the source. */
    offset: number;
    cache: BlockCache;
    /** Distinguishes sections that share a cache. */
    number: number;
  }) {
    this.head = of.head;
    this.where = of.where;
    this.#source = of.source;
    this.#offset = of.offset;
    this.#cache = of.cache;
    this.#number = of.number;
  }

  stream(id: number): Stream | undefined {
    return this.head.streams.get(id);
  }

  /** Decoded bytes of a stream; 0 where there is none. */
  byteCount(id: number): number {
    const stream = this.stream(id);
    return stream ? stream.firstByte[stream.count]! : 0;
  }

  /** Items of a stream; 0 where there is none. */
  itemCount(id: number): number {
    const stream = this.stream(id);
    return stream ? stream.firstItem[stream.count]! : 0;
  }

  /** Block `index` of a stream, verified and passed through `decode` once; kept in the cache. */
  block<T>(
    id: number,
    index: number,
    decode: (bytes: Buffer, place: { stream: Stream; where: string }) => T,
  ): T | Promise<T> {
    return this.#cache.get(this.#key(id, index), async () => {
      const stream = this.stream(id);
      if (!stream || !(index >= 0 && index < stream.count)) {
        throw corruptIndex(this.where, `there is no block ${index} of stream ${id}`);
      }
      const where = `${this.where}, ${stream.name} block ${index}`;
      return decode(await this.#load(stream, index, where), { stream, where });
    });
  }

  /** Bytes [offset, offset + length) of a stream's decoded bytes, all blocks taken as one. */
  async bytes(id: number, offset: number, length: number): Promise<Buffer> {
    const stream = this.stream(id);
    const size = this.byteCount(id);
    if (offset + length > size) {
      throw corruptIndex(this.where, `bytes up to ${offset + length} of stream ${id}, which has ${size}`);
    }
    const parts: Buffer[] = [];
    let at = offset;
    while (at < offset + length) {
      const index = blockOfByte(stream!, at);
      const block = await this.block(id, index, (bytes) => bytes);
      const start = at - stream!.firstByte[index]!;
      const part = block.subarray(start, start + offset + length - at);
      parts.push(part);
      at += part.length;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
  }

  /** A whole byte stream, which must have `size` bytes. */
  async document(id: number, size: number): Promise<Buffer> {
    const has = this.byteCount(id);
    if (has !== size) throw corruptIndex(this.where, `stream ${id} has ${has} bytes instead of ${size}`);
    // A copy: a single block would be shared with the cache.
    return Buffer.from(await this.bytes(id, 0, size));
  }

  /** The section as it lies in the source; its blocks are not verified. */
  raw(): Promise<Uint8Array> {
    return this.#source.read(this.#offset, this.head.length);
  }

  /** The same, with each block checked against its digest. */
  async verified(): Promise<Uint8Array> {
    const bytes = await this.raw();
    for (const stream of this.head.streams.values()) {
      for (let index = 0; index < stream.count; index++) {
        const start = stream.offset[index]!;
        const where = `${this.where}, ${stream.name} block ${index}`;
        openBlock(bytes.subarray(start, start + stream.stored[index]!), { stream, index, where });
      }
    }
    return bytes;
  }

  #key(id: number, index: number): number {
    return (this.#number * 32 + id) * 2 ** 32 + index;
  }

  async #load(stream: Stream, index: number, where: string): Promise<Buffer> {
    const bytes = await this.#source.read(this.#offset + stream.offset[index]!, stream.stored[index]!);
    return openBlock(bytes, { stream, index, where });
  }
}

/** Reads and verifies the directory of a section that lies at `offset` of the source. `expected` is what the index says of it. */
export async function readSectionHead(
  source: ByteSource,
  { offset, where, expected }: { offset: number; where: string; expected?: Omit<Preamble, 'minor'> },
): Promise<SectionHead> {
  const available = source.size - offset;
  const wanted = expected ? PREAMBLE_BYTES + expected.directoryLength : FIRST_READ;
  if (available < PREAMBLE_BYTES) throw corruptIndex(where, 'it ends too early');
  const first = await source.read(offset, Math.min(wanted, available));
  const preamble = readPreamble(first.subarray(0, PREAMBLE_BYTES), where);
  const { directoryLength, directoryDigest } = preamble;
  if (
    expected &&
    (expected.directoryLength !== directoryLength || !expected.directoryDigest.equals(directoryDigest))
  ) {
    throw corruptIndex(where, 'its directory is not the one that the index names');
  }
  const headLength = PREAMBLE_BYTES + directoryLength;
  if (headLength > available) throw corruptIndex(where, 'it ends too early');
  const head = headLength <= first.length ? first : await source.read(offset, headLength);
  return readSectionDirectory(Buffer.from(head.subarray(PREAMBLE_BYTES, headLength)), preamble, where);
}
