import { encodeBlock } from './block-encoder.js';
import { ByteWriter } from './byte-writer.js';
import { beyondLimit, check } from './corrupt.js';
import { MAX_BLOCK_ITEMS, MAX_SPANS, maxStored } from './limits.js';
import type { Span, SpanContext } from './model.js';
import { type EncodedBlock, type EncodedStream, STREAM } from './section.js';
import { SPANS_PER_BLOCK, START_KINDS } from './span-kinds.js';
import { outOfOrder } from './span-order.js';
import { writeContext } from './window-record.js';

/** Decoded bytes that a block of window records aims at; fetching one window decodes one block. */
const WINDOW_TARGET = 16_384;

/** What a row of the table keeps of a span, and where its record is. */
interface Row {
  span: Span;
  recordLength: number;
  newBlock: boolean;
}

/**
 * Collects a layer's spans in order. Windows are reduced to their runs and packed into compressed blocks on the way, so memory
 * grows by their compressed size and some 200 bytes a span, not by 32 KiB. The table itself is made in the end, when all digests
 * are known.
 */
export class SpanTableWriter {
  readonly #spacing: number;
  readonly #windows: EncodedBlock[] = [];
  readonly #table: EncodedBlock[] = [];
  readonly #record = new ByteWriter(4096);
  readonly #pending = new ByteWriter(2 * WINDOW_TARGET);
  #pendingRecords = 0;
  readonly #rows: Row[] = [];
  /** State before the rows of the next block of the table. */
  #state = { end: 0, block: 0, offset: 0 };
  #last: Span | undefined;
  count = 0;

  constructor(spacing: number) {
    this.#spacing = spacing;
  }

  /** Uncompressed bytes that the spans so far cover. */
  get covered(): number {
    return this.#last ? this.#last.offset + this.#last.length : 0;
  }

  add(span: Span, context: SpanContext): void {
    this.#check(span, context);
    this.#last = span;
    this.count++;
    let recordLength = 0;
    let newBlock = false;
    if (context.window.length > 0 || context.header) {
      this.#record.clear();
      writeContext(this.#record, context);
      recordLength = this.#record.length;
      // Windows of zeros are records of three bytes.
      const isFull = this.#pendingRecords === MAX_BLOCK_ITEMS;
      newBlock = this.#pending.length > 0 && (isFull || this.#pending.length + recordLength > WINDOW_TARGET);
      if (newBlock) this.#flushWindows();
      this.#pending.bytes(this.#record.view());
      this.#pendingRecords++;
    }
    this.#rows.push({ span, recordLength, newBlock });
  }

  /** `digests`: those of all spans, in order, where the spans that were added had none. */
  finish(digests: readonly string[] = this.#rows.map(({ span }) => span.digest)): EncodedStream[] {
    check(digests.length === this.count, `${digests.length} digests of ${this.count} spans`);
    for (let from = 0; from < this.count; from += SPANS_PER_BLOCK) {
      const to = from + SPANS_PER_BLOCK;
      this.#addTableBlock(this.#rows.slice(from, to), digests.slice(from, to));
    }
    if (this.#pending.length > 0) this.#flushWindows();
    return [
      { id: STREAM.spans, keyed: true, blocks: this.#table },
      { id: STREAM.windows, blocks: this.#windows },
    ];
  }

  #check(span: Span, context: SpanContext): void {
    if (this.count >= MAX_SPANS) throw beyondLimit(`a layer has over ${MAX_SPANS} spans`);
    const what = `span ${span.index}`;
    const before = this.#last;
    check(span.index === this.count && span.offset === this.covered, `${what} does not follow`);
    check(span.length >= 1 && span.length <= 2 * this.#spacing, `${what} has ${span.length} bytes`);
    const stored = span.end - span.byte;
    if (span.kind !== 'frame' && stored > maxStored(span.length)) {
      throw beyondLimit(`${stored} compressed bytes in a row hold ${span.length} bytes of a layer`);
    }
    check(span.kind !== 'raw' || stored === span.length, `${what} has ${stored} plain bytes`);
    const wrong = before && outOfOrder(before, span);
    check(wrong === undefined, `${what}: ${wrong}`);
    check(
      span.byte >= 0 && span.byte < span.end && span.bit >= 0 && span.bit <= 7,
      `${what} has no compressed bytes`,
    );
    check(span.skip === 0 || (before !== undefined && span.kind === 'frame'), `${what} skips`);
    check((span.kind === 'symbol') === (context.header !== undefined), `${what} and its block header`);
    check(context.window.length <= span.offset, `${what} has a window that begins before the layer`);
  }

  #flushWindows(): void {
    this.#windows.push(encodeBlock(this.#pending.view(), this.#pendingRecords));
    this.#pending.clear();
    this.#pendingRecords = 0;
  }

  #addTableBlock(rows: readonly Row[], digests: readonly string[]): void {
    const out = new ByteWriter(16_384);
    const state = this.#state;
    out.varint(state.end);
    out.varint(state.block);
    out.varint(state.offset);
    for (const { span } of rows) out.varint(span.length);
    for (const { span } of rows) {
      out.svarint(span.byte - state.end);
      state.end = span.end;
    }
    for (const { span } of rows) out.varint(span.end - span.byte);
    for (const { span } of rows) out.u8(START_KINDS.indexOf(span.kind) * 8 + span.bit);
    for (const { span } of rows) out.varint(span.skip);
    for (const { recordLength, newBlock } of rows) {
      out.varint(recordLength * 2 + (newBlock ? 1 : 0));
      if (newBlock) {
        state.block++;
        state.offset = 0;
      }
      state.offset += recordLength;
    }
    for (const digest of digests) {
      check(/^[0-9a-f]{64}$/.test(digest), `a span has digest ${digest}`);
      out.bytes(Buffer.from(digest, 'hex'));
    }
    this.#table.push(encodeBlock(out.view(), rows.length, rows[0]!.span.offset));
  }
}
