import { ByteReader } from './byte-reader.js';
import { maxStored } from './limits.js';
import type { Span } from './model.js';
import { START_KINDS } from './span-kinds.js';
import { outOfOrder } from './span-order.js';

/** Where a span's record lies in the stream `windows`; length 0 when it has none. */
export interface RecordPlace {
  block: number;
  offset: number;
  length: number;
}

export interface SpanBlock {
  spans: readonly Span[];
  records: readonly RecordPlace[];
}

export interface SpanBlockBounds {
  /** Number of spans in the block, index and offset of the first, offset at which the next block (or the layer's end) begins. */
  count: number;
  index: number;
  offset: number;
  endOffset: number;
  /** Of the layer: compressed bytes and spacing. */
  size: number;
  spacing: number;
  where: string;
}

/** Decodes a block of the span table and checks that its spans are in order and cover exactly [offset, endOffset). */
export function decodeSpans(bytes: Uint8Array, bounds: SpanBlockBounds): SpanBlock {
  const { count, size, spacing } = bounds;
  const reader = new ByteReader(bytes, bounds.where);
  if (count * 37 > bytes.length) reader.fail(`${count} spans announced`);
  let end = reader.varint();
  const place = { block: reader.varint(), offset: reader.varint() };
  const rows = Array.from({ length: count }, () => 0);
  const lengths = rows.map(() => reader.upTo(2 * spacing, 'length of a span'));
  const starts = rows.map(() => reader.svarint());
  const sizes = rows.map(() => reader.varint());
  const kinds = rows.map(() => reader.u8());
  const skips = rows.map(() => reader.varint());
  const recordLengths = rows.map(() => reader.varint());
  const spans: Span[] = [];
  const records: RecordPlace[] = [];
  let offset = bounds.offset;
  for (let i = 0; i < count; i++) {
    const length = lengths[i]!;
    const byte = end + starts[i]!;
    end = byte + sizes[i]!;
    const kind = START_KINDS[kinds[i]! >> 3];
    const skip = skips[i]!;
    if (kind === undefined) return reader.fail('unknown kind of start');
    if (length === 0 || byte < 0 || sizes[i] === 0 || end > size)
      reader.fail('a span lies outside the layer');
    if (kind === 'raw' ? sizes[i] !== length : kind !== 'frame' && sizes[i]! > maxStored(length))
      reader.fail(`a span of ${length} bytes has ${sizes[i]} compressed ones`);
    if (skip > 0 && kind !== 'frame') reader.fail('a span skips');
    if (skip > offset) reader.fail('a span skips more than there is');
    const digest = reader.take(32).toString('hex');
    const span: Span = {
      index: bounds.index + i,
      offset,
      length,
      byte,
      bit: kinds[i]! & 7,
      end,
      kind,
      skip,
      digest,
    };
    const wrong = i > 0 ? outOfOrder(spans[i - 1]!, span) : undefined;
    if (wrong) reader.fail(wrong);
    spans.push(span);
    records.push(nextRecord(place, recordLengths[i]!));
    offset += length;
  }
  reader.done();
  if (offset !== bounds.endOffset) reader.fail(`spans end at ${offset} instead of ${bounds.endOffset}`);
  return { spans, records };
}

function nextRecord(place: { block: number; offset: number }, coded: number): RecordPlace {
  const length = Math.floor(coded / 2);
  if (coded % 2 === 1) {
    place.block++;
    place.offset = 0;
  }
  const record = { block: place.block, offset: place.offset, length };
  place.offset += length;
  return record;
}
