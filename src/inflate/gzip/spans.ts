/**
 * Cuts the uncompressed stream into spans and hashes each. Where a span ends is decided some way after that place has gone
 * by; from the first place that may be chosen on (`hold`), bytes are kept aside until it is. The scanner holds at most half a
 * spacing, and at most 4 MiB, plus 32 KiB and a buffer of output.
 */
import type { BlockHeader, Span, SpanContext, StartKind } from '../../format/model.js';
import type { ScanSink } from '../scanner.js';

/** Where a span starts. Offsets in bytes: `offset` uncompressed, `byte` and `bit` compressed. */
export interface Checkpoint {
  offset: number;
  byte: number;
  bit: number;
  kind: StartKind;
  window: Uint8Array;
  header: BlockHeader | undefined;
}

export interface SpanWriter {
  /** The next uncompressed bytes. */
  data(bytes: Uint8Array): void;
  /** Bytes from here on may belong to the next span. `offset` is at or past all bytes so far; only the first call counts. */
  hold(offset: number): void;
  /** Ends the span at a checkpoint at or past the offset held, all of whose bytes were given. */
  cut(next: Checkpoint): void;
  /** Ends the last span, if it has bytes, at the end of the stream; `end` is one past its last compressed byte. */
  finish(end: number): void;
}

/** What hashes a span's bytes; `Hash` of node:crypto is one. */
export interface SpanHash {
  update(bytes: Uint8Array): unknown;
  digest(encoding: 'hex'): string;
}

export interface SpanWriterOptions {
  first: Checkpoint;
  createHash(): SpanHash;
}

export function createSpanWriter(sink: ScanSink, { first, createHash }: SpanWriterOptions): SpanWriter {
  let start = first;
  let index = 0;
  let offset = first.offset;
  let hash = createHash();
  let heldFrom = Number.POSITIVE_INFINITY;
  let held = Buffer.alloc(0);
  let heldLength = 0;

  const keep = (bytes: Uint8Array): void => {
    if (heldLength + bytes.length > held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(2 * held.length, heldLength + bytes.length));
      grown.set(held.subarray(0, heldLength));
      held = grown;
    }
    held.set(bytes, heldLength);
    heldLength += bytes.length;
  };

  const emit = (endOffset: number, end: number): void => {
    const span: Span = {
      index,
      offset: start.offset,
      length: endOffset - start.offset,
      byte: start.byte,
      bit: start.bit,
      end,
      kind: start.kind,
      skip: 0,
      digest: hash.digest('hex'),
    };
    const context: SpanContext = { window: start.window, header: start.header };
    index++;
    hash = createHash();
    sink.span(span, context);
  };

  return {
    data(bytes) {
      const free = Math.min(Math.max(heldFrom - offset, 0), bytes.length);
      if (free > 0) hash.update(bytes.subarray(0, free));
      if (free < bytes.length) keep(bytes.subarray(free));
      offset += bytes.length;
    },
    hold(from) {
      if (heldFrom === Number.POSITIVE_INFINITY) heldFrom = from;
    },
    cut(next) {
      const ours = next.offset - heldFrom;
      hash.update(held.subarray(0, ours));
      emit(next.offset, next.byte + (next.bit > 0 ? 1 : 0));
      start = next;
      hash.update(held.subarray(ours, heldLength));
      heldFrom = Number.POSITIVE_INFINITY;
      heldLength = 0;
    },
    finish(end) {
      if (heldLength > 0) hash.update(held.subarray(0, heldLength));
      if (offset > start.offset) emit(offset, end);
    },
  };
}
