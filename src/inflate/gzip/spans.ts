/** Makes spans of the checkpoints that a scan has chosen. */
import type { BlockHeader, Span, SpanContext, StartKind } from '../../format/model.js';
import type { ScanSink } from '../scanner.js';
import type { SpanDigests } from '../span-digests.js';

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
  /** As in `SpanDigests`. */
  hold(offset: number): void;
  /** Ends the span at a checkpoint at or past the offset held, all of whose bytes were given. */
  cut(next: Checkpoint): void;
  /** Ends the last span, if it has bytes, at the end of the stream; `end` is one past its last compressed byte. */
  finish(end: number): void;
}

export function createSpanWriter(
  sink: ScanSink,
  { first, digests }: { first: Checkpoint; digests: SpanDigests },
): SpanWriter {
  let start = first;
  let index = 0;
  let offset = first.offset;
  digests.begin?.();

  function emit(endOffset: number, end: number): void {
    const span: Span = {
      index,
      offset: start.offset,
      length: endOffset - start.offset,
      byte: start.byte,
      bit: start.bit,
      end,
      kind: start.kind,
      skip: 0,
      digest: digests.cut(endOffset),
    };
    const context: SpanContext = { window: start.window, header: start.header };
    index++;
    sink.span(span, context);
  }

  return {
    data(bytes) {
      digests.data(bytes);
      offset += bytes.length;
    },
    hold: (from) => digests.hold(from),
    cut(next) {
      emit(next.offset, next.byte + (next.bit > 0 ? 1 : 0));
      start = next;
    },
    finish(end) {
      if (offset > start.offset) emit(offset, end);
    },
  };
}
