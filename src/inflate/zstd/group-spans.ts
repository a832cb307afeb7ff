import type { Span, SpanContext } from '../../format/model.js';
import { createSpanHash } from '../span-hash.js';

/**
 * Cuts decoded frames into spans. A zstd stream can be entered only where a frame begins, so:
 * - neighbouring frames are one span until they hold `spacing` bytes;
 * - a frame that would make a span of more than 2 × `spacing`, or may do so, begins a group of its own and is cut every
 *   `spacing` bytes into spans that share [byte, end) and differ in `skip`: one decode yields them all.
 * Where the cuts fall depends on the frames alone, not on how their bytes arrive.
 */
export interface SpanGrouping {
  /** A frame begins at compressed offset `byte`; `length`, if given, is what `data` will bring before `end`. */
  frame(byte: number, length: number | undefined): void;
  data(bytes: Uint8Array): void;
  /** The frame ended before compressed offset `byte`. */
  end(byte: number): void;
  /** A skippable frame of `size` bytes passed. */
  skipped(size: number): void;
  /** The stream ended. */
  finish(): void;
}

interface Piece {
  offset: number;
  length: number;
  skip: number;
  digest: string;
}

/** A span does not reach across a skippable frame larger than this: fetching it would cost more than a span of its own. */
const LARGEST_GAP = 64 << 10;

const NO_CONTEXT: SpanContext = { window: new Uint8Array(0), header: undefined };

export function createSpanGrouping(
  spacing: number,
  emit: (span: Span, context: SpanContext) => void,
): SpanGrouping {
  const current = createSpanHash();
  /** Finished spans of the group, held until its end is known. */
  let pieces: Piece[] = [];
  let index = 0;
  let offset = 0;
  /** Compressed range and uncompressed bytes, before `current`, of the group. */
  let byte = 0;
  let end = 0;
  let skip = 0;
  /** Length at which `current` is cut. */
  let cutAt = spacing;

  function cut(): void {
    const length = current.length;
    pieces.push({ offset, length, skip, digest: current.take() });
    offset += length;
    skip += length;
  }

  function flush(): void {
    if (current.length > 0) cut();
    for (const piece of pieces)
      emit({ index: index++, byte, bit: 0, end, kind: 'frame', ...piece }, NO_CONTEXT);
    pieces = [];
    skip = 0;
  }

  return {
    frame(at, length = Number.POSITIVE_INFINITY) {
      if (current.length + length > 2 * spacing) flush();
      if (current.length === 0) byte = at;
      cutAt = length > 2 * spacing ? spacing : Number.POSITIVE_INFINITY;
    },
    data(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const piece = bytes.subarray(at, at + cutAt - current.length);
        current.update(piece);
        at += piece.length;
        if (current.length === cutAt) cut();
      }
    },
    end(at) {
      if (current.length > 0 || pieces.length > 0) end = at;
      if (pieces.length > 0 || current.length >= spacing) flush();
    },
    skipped(size) {
      if (size > LARGEST_GAP) flush();
    },
    finish: flush,
  };
}
