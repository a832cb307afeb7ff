import type { Claim } from '../cache/single-flight.js';
import type { Origin } from '../cache/tiered.js';
import type { LayerInfo, Span } from '../format/model.js';
import { splitDigest } from '../reference/digest.js';
import { layerInfo, type ReadContext } from './context.js';
import type { LayerLoad } from './layer-origin.js';
import type { SpanLoad } from './span-origin.js';
import type { SpanUnit } from './units.js';

/** The `span` strategy: see `fetchSpans`. What only a miss needs is loaded with the first one: a warm read starts faster without it. */
export function spanOrigin(context: ReadContext, layer: number, load: SpanLoad): Origin<SpanUnit> {
  const origin = async (missing: readonly SpanUnit[], signal: AbortSignal) => {
    const { fetchSpans } = await import('./span-origin.js');
    await fetchSpans(context, layer, { ...load, missing, signal });
  };
  return Object.assign(origin, {
    claimOf: (unit: SpanUnit) => spanClaim(layerInfo(context, layer), unit.span),
  });
}

/** The `layer` strategy: see `fetchLayer`. */
export function layerOrigin(context: ReadContext, layer: number, load: LayerLoad): Origin<SpanUnit> {
  const claim = layerClaim(layerInfo(context, layer));
  const origin = async (missing: readonly SpanUnit[], signal: AbortSignal) => {
    const { fetchLayer } = await import('./layer-origin.js');
    await fetchLayer(context, layer, { ...load, missing, signal });
  };
  return Object.assign(origin, { claimOf: () => claim });
}

/** Whatever of a layer is asked for, one process decodes it. */
export function layerClaim({ digest, uncompressedSize }: LayerInfo): Claim {
  return { name: splitDigest(digest).hex, bytes: uncompressedSize };
}

/** Spans of one frame share a start and so a decoder run: one process decodes them all. */
export function spanClaim({ digest, uncompressedSize }: LayerInfo, span: Span): Claim {
  return span.kind === 'frame'
    ? { name: `${splitDigest(digest).hex}-${span.byte}`, bytes: uncompressedSize }
    : { name: span.digest, bytes: span.length };
}
