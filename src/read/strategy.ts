import type { Origin } from '../cache/tiered.js';
import { layerInfo, type ReadContext } from './context.js';
import type { LongRanges } from './long-ranges.js';
import { type Lookups, layerLookups, spanLookups } from './lookups.js';
import { layerOrigin, spanOrigin } from './origins.js';
import type { SpanUnit } from './units.js';

/** `naive` is for measuring what the others save. */
export type Strategy = 'naive' | 'layer' | 'span' | 'auto';

/** How one read gets what no tier has, and how it counts. */
export interface ReadPlan {
  origin: Origin<SpanUnit>;
  lookups: Lookups;
}

export interface Strategist {
  /** `ranges`: how a walk over many files fetches from blobs. */
  plan(layer: number, ranges?: LongRanges): ReadPlan;
  /** For spans that nobody has asked for yet. */
  ahead(layer: number): Origin<SpanUnit>;
  /** Stops what was begun ahead of any demand. */
  close(): Promise<void>;
}

/** `auto` turns to the whole layer when this share of its spans, and at least this many, went to the origin in this process. */
const AUTO_SHARE = 0.5;
const AUTO_SPANS = 16;

/**
 * `span`: each read fetches its own spans. `layer`: the first read that misses decodes the layer. `auto`: as `span`, until reads have
 * fetched half of a layer's spans; then the other half is fetched in the background, in runs of neighbours, if the disk tier can hold
 * the layer. (Decoding the layer from its start instead would fetch and inflate the first half again.)
 */
export function createStrategist(context: ReadContext, strategy: 'layer' | 'span' | 'auto'): Strategist {
  const { observer } = context;
  const demanded = new Map<number, Set<number>>();
  const filling = new Map<number, Promise<void>>();
  const controller = new AbortController();

  function missed(layer: number, span: number): void {
    if (filling.has(layer)) return;
    const spans = demanded.get(layer) ?? new Set<number>();
    demanded.set(layer, spans);
    spans.add(span);
    const { spanCount, uncompressedSize } = layerInfo(context, layer);
    if (spans.size < AUTO_SPANS || spans.size < spanCount * AUTO_SHARE || spans.size === spanCount) return;
    if (!context.cache.room(uncompressedSize).lower) return;
    demanded.delete(layer);
    const fill = fillRest(layer).catch((error: unknown) => {
      // A read that needs one of these spans meets the same error and reports it.
      observer.emit({ type: 'debug', message: `filling a layer ended early: ${String(error)}` });
    });
    filling.set(layer, fill);
  }

  async function fillRest(layer: number): Promise<void> {
    const { fillLayer } = await import('./fill.js');
    await fillLayer(context, layer, controller.signal);
  }

  return {
    plan(layer, ranges) {
      const { digest } = layerInfo(context, layer);
      if (strategy === 'layer') {
        const lookups = layerLookups(observer, digest);
        return { lookups, origin: layerOrigin(context, layer, { counted: true, onStart: lookups.began }) };
      }
      const lookups = spanLookups(observer, digest);
      const origin = spanOrigin(context, layer, { counted: true, ranges });
      if (strategy === 'span') return { lookups, origin };
      return {
        origin,
        lookups: {
          ...lookups,
          note(unit, outcome, coalesced) {
            lookups.note(unit, outcome, coalesced);
            if (outcome === 'miss') missed(layer, unit.span.index);
          },
        },
      };
    },
    ahead(layer) {
      return strategy === 'layer'
        ? layerOrigin(context, layer, { counted: false })
        : spanOrigin(context, layer, { counted: false });
    },
    async close() {
      controller.abort();
      await Promise.all(filling.values());
    },
  };
}
