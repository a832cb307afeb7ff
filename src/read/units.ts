import type { Unit } from '../cache/tiered.js';
import type { Span } from '../format/model.js';
import type { Piece } from './plan.js';

/** A span as the cache knows it. */
export interface SpanUnit extends Unit {
  readonly span: Span;
}

export function unitOf(span: Span): SpanUnit {
  return { key: span.digest, length: span.length, span };
}

/** Pieces of a file that are loaded together; a data piece names its unit by number. */
export interface Window {
  units: SpanUnit[];
  pieces: ({ zeros: number } | { unit: number; start: number; end: number })[];
}

/** A window, and so the memory that a read takes, is bounded by these; a single span may be larger than they are. */
const MAX_COMPRESSED = 4 << 20;
const MAX_UNCOMPRESSED = 12 << 20;
const MAX_PIECES = 1024;

/** Groups pieces into windows, in order. A span that follows itself (extents of a sparse file) is one unit. */
export async function* windowsOf(pieces: AsyncIterable<Piece>): AsyncGenerator<Window> {
  let window: Window = { units: [], pieces: [] };
  let compressed = 0;
  let uncompressed = 0;
  for await (const piece of pieces) {
    if ('zeros' in piece) {
      window.pieces.push(piece);
    } else {
      const { span, start, end } = piece;
      if (window.units.at(-1)?.span.index !== span.index) {
        window.units.push(unitOf(span));
        compressed += span.end - span.byte;
        uncompressed += span.length;
      }
      window.pieces.push({ unit: window.units.length - 1, start, end });
    }
    if (
      compressed >= MAX_COMPRESSED ||
      uncompressed >= MAX_UNCOMPRESSED ||
      window.pieces.length >= MAX_PIECES
    ) {
      yield window;
      window = { units: [], pieces: [] };
      compressed = uncompressed = 0;
    }
  }
  if (window.pieces.length > 0) yield window;
}

/** A sequence of spans, none twice, as windows. */
export async function* windowsOfSpans(spans: Iterable<Span>): AsyncGenerator<Window> {
  yield* windowsOf(wholes(spans));
}

async function* wholes(spans: Iterable<Span>): AsyncGenerator<Piece> {
  for (const span of spans) yield { span, start: 0, end: span.length };
}
