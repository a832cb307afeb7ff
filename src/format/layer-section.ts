import type { ByteString } from '../bytes.js';
import { escapeName } from '../escape.js';
import { comparePaths, type Entry, type MergeEntry } from '../tree/entry.js';
import { BlockCache } from './block-cache.js';
import { beyondLimit, corruptIndex } from './corrupt.js';
import { decodeEntries, type EntryBlock } from './entries-decode.js';
import type { Place } from './entry-columns.js';
import { type Extras, ExtrasCache } from './extras-cache.js';
import { decodeExtents, decodeXattrs } from './extras-decode.js';
import type { ByteSource } from './image-index.js';
import { type LayerFacts, readLayerFacts } from './layer-info.js';
import { MAX_LAYER_EXTENTS, MAX_LAYER_XATTRS, MAX_NAMES_BYTES } from './limits.js';
import type { LayerInfo, Span, SpanContext } from './model.js';
import { RecordOrder } from './record-order.js';
import { blockOfItem, blockOfKey, SECTION_TYPE, STREAM } from './section.js';
import { readSectionHead, SectionReader } from './section-reader.js';
import { outOfOrder } from './span-order.js';
import { decodeSpans, type SpanBlock } from './spans-decode.js';
import { readContext } from './window-record.js';

/** What the layers of one index share, so that it is bounded for all of them together. */
export interface LayerMemory {
  extras: ExtrasCache;
  /** Layers that hold on to the block that was read last, the one that was read longest ago first. */
  recent: Set<LayerSection>;
}

export function createLayerMemory(): LayerMemory {
  return { extras: new ExtrasCache(), recent: new Set() };
}

/** Layers whose last block is at hand. Container engines take no more than 127 layers, an index that somebody made thousands. */
export const LAYERS_AT_HAND = 128;

/** Bytes that the names of layers which are merged together may still have. */
export interface NameRoom {
  bytes: number;
}

export function createNameRoom(): NameRoom {
  return { bytes: MAX_NAMES_BYTES };
}

/** A layer's section, read on demand. */
export class LayerSection {
  readonly facts: LayerFacts;
  readonly section: SectionReader;
  readonly #memory: LayerMemory;
  readonly #extentOrder = new RecordOrder();
  #last: EntryBlock | undefined;

  constructor(section: SectionReader, memory: LayerMemory) {
    const { head, where } = section;
    if (head.type !== SECTION_TYPE.layer) throw corruptIndex(where, `type ${head.type} is no layer`);
    this.facts = readLayerFacts(head.info, head.minor, where);
    this.section = section;
    this.#memory = memory;
    for (const [id, most] of [
      [STREAM.xattrs, MAX_LAYER_XATTRS],
      [STREAM.extents, MAX_LAYER_EXTENTS],
    ] as const) {
      const bytes = section.byteCount(id);
      if (bytes > most) throw corruptIndex(where, `${bytes} bytes in stream ${id}, over ${most}`);
    }
    const { entryCount, spanCount, uncompressedSize } = this.facts;
    for (const [id, count] of [
      [STREAM.entries, entryCount],
      [STREAM.spans, spanCount],
    ] as const) {
      const items = section.itemCount(id);
      if (items !== count) throw corruptIndex(where, `${items} items in stream ${id} instead of ${count}`);
    }
    const spans = section.stream(STREAM.spans);
    if (spans ? spans.key[0] !== 0 : uncompressedSize > 0) {
      throw corruptIndex(where, 'the spans do not begin at 0');
    }
  }

  get where(): string {
    return this.section.where;
  }

  /** The block that holds an entry. */
  entryBlock(ordinal: number): EntryBlock | Promise<EntryBlock> {
    const last = this.#last;
    if (last && ordinal >= last.first && ordinal < last.first + last.count) return last;
    const stream = this.section.stream(STREAM.entries);
    const index = stream ? blockOfItem(stream, ordinal) : -1;
    if (!stream || index < 0) throw corruptIndex(this.where, `there is no entry ${ordinal}`);
    const first = stream.firstItem[index]!;
    const count = stream.firstItem[index + 1]! - first;
    const { uncompressedSize } = this.facts;
    const block = this.section.block(STREAM.entries, index, (bytes, { where }) =>
      decodeEntries(bytes, { first, count, uncompressedSize, where }),
    );
    return block instanceof Promise ? block.then((decoded) => this.#atHand(decoded)) : this.#atHand(block);
  }

  #atHand(block: EntryBlock): EntryBlock {
    this.#last = block;
    const { recent } = this.#memory;
    recent.delete(this);
    recent.add(this);
    if (recent.size > LAYERS_AT_HAND) {
      const [oldest] = recent;
      oldest!.#last = undefined;
      recent.delete(oldest!);
    }
    return block;
  }

  path(ordinal: number): ByteString | Promise<ByteString> {
    const found = this.entryBlock(ordinal);
    if (found instanceof Promise) return found.then(({ first, paths }) => paths.at(ordinal - first));
    return found.paths.at(ordinal - found.first);
  }

  /** The entry with its attributes and extents. */
  entry(ordinal: number): Entry | Promise<Entry> {
    const found = this.entryBlock(ordinal);
    if (found instanceof Promise)
      return found.then((block) => this.#materialise(block, ordinal - block.first));
    return this.#materialise(found, ordinal - found.first);
  }

  /** All entries, in order, a batch for each block. */
  async *entries(): AsyncGenerator<Entry[], void, undefined> {
    for await (const block of this.#blocks()) {
      const batch: Entry[] = [];
      for (let row = 0; row < block.count; row++) {
        const made = this.#materialise(block, row);
        batch.push(made instanceof Promise ? await made : made);
      }
      yield batch;
    }
  }

  /** All of them as far as a merge needs them. Throws LIMIT where their names have more bytes than `room`, which it lessens by them. */
  async mergeEntries(room: NameRoom): Promise<MergeEntry[]> {
    const entries: MergeEntry[] = [];
    for await (const block of this.#blocks()) {
      for (let row = 0; row < block.count; row++) {
        const entry = block.mergeEntry(row);
        room.bytes -= entry.path.length + entry.link.length;
        entries.push(entry);
      }
      if (room.bytes < 0) throw beyondLimit(`its layers have more than ${MAX_NAMES_BYTES} bytes of names`);
    }
    return entries;
  }

  /** The blocks of entries; also checks the order from block to block, which reading on demand cannot. */
  async *#blocks(): AsyncGenerator<EntryBlock, void, undefined> {
    let before: MergeEntry | undefined;
    for (let ordinal = 0; ordinal < this.facts.entryCount; ) {
      const block = await this.entryBlock(ordinal);
      const first = block.mergeEntry(0);
      const order = before ? comparePaths(before.path, first.path) : -1;
      if (order > 0 || (order === 0 && before!.position >= first.position)) {
        throw corruptIndex(this.where, 'blocks of entries are not in order');
      }
      yield block;
      before = block.mergeEntry(block.count - 1);
      ordinal += block.count;
    }
  }

  /** Spans that overlap [offset, offset + length) of the uncompressed layer, the first `most` of them; each may follow the one before. */
  async spans(offset: number, length: number, most = Number.POSITIVE_INFINITY): Promise<Span[]> {
    const stream = this.section.stream(STREAM.spans);
    const end = Math.min(offset + length, this.facts.uncompressedSize);
    const found: Span[] = [];
    if (!stream || !(offset >= 0 && offset < end)) return found;
    for (let index = blockOfKey(stream, offset); index < stream.count && stream.key[index]! < end; index++) {
      const { spans } = await this.#spanBlock(index);
      const first = firstEndingAfter(spans, offset);
      if (first === 0 && index > 0) await this.#checkFirst(index, spans[0]!);
      for (let i = first; i < spans.length && spans[i]!.offset < end; i++) {
        found.push(spans[i]!);
        if (found.length >= most) return found;
      }
    }
    return found;
  }

  async context(span: Span): Promise<SpanContext> {
    const stream = this.section.stream(STREAM.spans);
    const index = stream ? blockOfItem(stream, span.index) : -1;
    if (!stream || index < 0) throw new RangeError(`layer ${this.facts.digest} has no span ${span.index}`);
    const { spans, records } = await this.#spanBlock(index);
    const row = span.index - stream.firstItem[index]!;
    const own = spans[row]!;
    const { block, offset, length } = records[row]!;
    const where = `${this.where}, window of span ${span.index}`;
    let context: SpanContext = { window: new Uint8Array(0), header: undefined };
    if (length > 0) {
      const bytes = await this.section.block(STREAM.windows, block, (decoded) => decoded);
      if (offset + length > bytes.length) throw corruptIndex(where, 'it reaches beyond its block');
      context = readContext(bytes.subarray(offset, offset + length), where);
    }
    if (context.window.length > own.offset) throw corruptIndex(where, 'it begins before the layer');
    if ((own.kind === 'symbol') !== (context.header !== undefined)) {
      throw corruptIndex(where, 'a block header belongs to a start at a symbol, and only there');
    }
    return context;
  }

  async #spanBlock(index: number): Promise<SpanBlock> {
    const { size, spacing, uncompressedSize } = this.facts;
    return this.section.block(STREAM.spans, index, (bytes, { stream, where }) => {
      const first = stream.firstItem[index]!;
      return decodeSpans(bytes, {
        count: stream.firstItem[index + 1]! - first,
        index: first,
        offset: stream.key[index]!,
        endOffset: index + 1 < stream.count ? stream.key[index + 1]! : uncompressedSize,
        size,
        spacing,
        where,
      });
    });
  }

  /** A block cannot tell whether its first span may follow the last one of the block before. */
  async #checkFirst(index: number, first: Span): Promise<void> {
    const { spans } = await this.#spanBlock(index - 1);
    const wrong = outOfOrder(spans.at(-1)!, first);
    if (wrong) throw corruptIndex(`${this.where}, spans block ${index}`, wrong);
  }

  #materialise(block: EntryBlock, row: number): Entry | Promise<Entry> {
    const xattrs = block.xattrsAt(row);
    const extents = block.extentsAt(row);
    return xattrs || extents ? this.#withExtras(block, row, { xattrs, extents }) : block.entry(row);
  }

  async #withExtras(
    block: EntryBlock,
    row: number,
    places: { xattrs: Place | undefined; extents: Place | undefined },
  ): Promise<Entry> {
    const where = `${this.where}, extras of ${escapeName(block.paths.at(row))}`;
    const xattrs = places.xattrs && (await this.#xattrs(places.xattrs, where));
    const extents = places.extents && (await this.#extents(block, row, { place: places.extents, where }));
    return block.entry(row, { xattrs, extents });
  }

  /** Rows that share a set of attributes share the decoded one. */
  #xattrs({ offset, length }: Place, where: string): Promise<Entry['xattrs']> {
    return this.#cached(`xattrs ${offset} ${length}`, async () => {
      const record = await this.section.bytes(STREAM.xattrs, offset, length);
      return { xattrs: decodeXattrs(record, where) };
    }).then(({ xattrs }) => xattrs);
  }

  #extents(
    block: EntryBlock,
    row: number,
    { place, where }: { place: Place; where: string },
  ): Promise<Entry['extents']> {
    return this.#cached(`extents ${block.first + row}`, async () => {
      if (!this.#extentOrder.admits(block.first, block.allExtentsAt())) {
        throw corruptIndex(where, 'its extents are those of another block');
      }
      const { position, size } = block.entry(row);
      const record = await this.section.bytes(STREAM.extents, place.offset, place.length);
      const { uncompressedSize } = this.facts;
      return { xattrs: [], extents: decodeExtents(record, { position, size, uncompressedSize, where }) };
    }).then(({ extents }) => extents);
  }

  async #cached(key: string, decode: () => Promise<Extras>): Promise<Extras> {
    const { extras } = this.#memory;
    const own = `${this.where} ${key}`;
    const known = extras.get(own);
    if (known) return known;
    const decoded = await decode();
    extras.put(own, decoded);
    return decoded;
  }
}

/** Spans of a block are neighbours, in order. */
function firstEndingAfter(spans: readonly Span[], offset: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (spans[middle]!.offset + spans[middle]!.length <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A layer's section that stands alone: a blob, or a part of an index file handed over as a source. */
export interface OpenedLayerSection {
  info: Omit<LayerInfo, 'mediaType'>;
  spacing: number;
  /** Sorted by (comparePaths, position), in batches. */
  entries(): AsyncIterable<Entry[]>;
  /** The same, as far as a merge needs them; as `LayerSection.mergeEntries`. */
  mergeEntries(room: NameRoom): Promise<MergeEntry[]>;
  spans(offset: number, length: number): Promise<Span[]>;
  spanContext(span: Span): Promise<SpanContext>;
  /** Holds every block against its digest, the windows too. */
  verify(): Promise<void>;
  /** Bytes of the section. */
  size: number;
}

/**
 * Opens a layer's section. Its digests prove that it is whole, not who made it: whoever reuses a section vouches for it. Throws
 * CORRUPT_INDEX or NEWER_INDEX, here and on every later read.
 */
export async function openLayerSection(source: ByteSource): Promise<OpenedLayerSection> {
  const where = 'layer section';
  const head = await readSectionHead(source, { offset: 0, where });
  if (head.length !== source.size)
    throw corruptIndex(where, `it has ${source.size} bytes instead of ${head.length}`);
  const layer = new LayerSection(
    new SectionReader({ head, where, source, offset: 0, cache: new BlockCache(8), number: 0 }),
    createLayerMemory(),
  );
  const { spacing, ...info } = layer.facts;
  return {
    info,
    spacing,
    entries: () => layer.entries(),
    mergeEntries: (room) => layer.mergeEntries(room),
    spans: (offset, length) => layer.spans(offset, length),
    spanContext: (span) => layer.context(span),
    verify: async () => {
      await layer.section.verified();
    },
    size: head.length,
  };
}
