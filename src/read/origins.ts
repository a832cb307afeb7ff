import type { Origin } from '../cache/tiered.js';
import { layerInfo, type ReadContext } from './context.js';
import type { LayerLoad } from './layer-origin.js';
import type { SpanLoad } from './span-origin.js';
import { layerClaim, spanClaim } from './unit-claims.js';
import type { SpanUnit } from './units.js';

/** The `span` strategy: see `fetchSpans`. What only a miss needs is loaded with the first one: a warm read starts faster without it. */
export function spanOrigin(context: ReadContext, layer: number, load: SpanLoad): Origin<SpanUnit> {
  const origin = async (missing: readonly SpanUnit[], signal: AbortSignal) => {
    const { fetchSpans } = await import('./span-origin.js');
    await mended(context, missing, (units, again) => {
      // An answer that was being read in parts is of the source as it was.
      const ranges = again ? undefined : load.ranges;
      return fetchSpans(context, layer, { ...load, ranges, missing: units, signal });
    });
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
    await mended(context, missing, (units) =>
      fetchLayer(context, layer, { ...load, missing: units, signal }),
    );
  };
  return Object.assign(origin, { claimOf: () => claim });
}

/** Fetches what is missing, once more what is left of it where the source found that it had read a damaged copy. */
async function mended(
  context: ReadContext,
  missing: readonly SpanUnit[],
  fetch: (units: readonly SpanUnit[], again: boolean) => Promise<void>,
): Promise<void> {
  const { twice } = await import('../source/mend.js');
  let left = missing;
  let again = false;
  await twice(
    () => fetch(left, again),
    async () => {
      // One that could not be opened has told why.
      const source = await context.source().catch(() => undefined);
      again = (await source?.mend?.()) === true;
      if (again) left = await context.cache.recheck([...missing]);
      return again;
    },
  );
}
