import type { ImageIndex } from '../format/image-index.js';
import type { Span } from '../format/model.js';
import { SPANS_AT_ONCE, uncovered } from './plan.js';

/** Spans are asked of the index for so many bytes at once: some thousand files of a layer then share one answer. */
const STEP = 64 << 20;

export interface SpanFinder {
  /**
   * The span that holds byte `offset` of a layer's tar stream; a promise only where the index has to be asked. Throws CORRUPT_INDEX
   * where there is none.
   */
  at(layer: number, offset: number): Span | Promise<Span>;
}

/** Looks up spans for many reads that are near one another in each layer. */
export function createSpanFinder(index: ImageIndex): SpanFinder {
  const known = new Map<number, readonly Span[]>();

  async function ask(layer: number, offset: number): Promise<Span> {
    const spans = await index.spans(layer, offset, STEP, SPANS_AT_ONCE);
    known.set(layer, spans);
    const span = search(spans, offset);
    if (!span) throw uncovered(index, layer, offset);
    return span;
  }

  return {
    at: (layer, offset) => search(known.get(layer) ?? [], offset) ?? ask(layer, offset),
  };
}

function search(spans: readonly Span[], offset: number): Span | undefined {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { offset: start, length } = spans[middle] as Span;
    if (start + length <= offset) low = middle + 1;
    else high = middle;
  }
  const span = spans[low];
  return span !== undefined && span.offset <= offset ? span : undefined;
}
