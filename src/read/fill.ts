import type { Batch } from '../cache/batch.js';
import type { Origin } from '../cache/tiered.js';
import { ClipError } from '../errors.js';
import type { Span } from '../format/model.js';
import { abortable } from '../http/abortable.js';
import { layerInfo, type ReadContext } from './context.js';
import { spanOrigin } from './origins.js';
import { type SpanUnit, unitOf, windowsOfSpans } from './units.js';

/** Fetches all spans of a layer that no tier has. */
export async function fillLayer(context: ReadContext, layer: number, signal: AbortSignal): Promise<void> {
  const spans = await context.index.spans(layer, 0, layerInfo(context, layer).uncompressedSize);
  await fillSpans(context, spans, {
    origin: spanOrigin(context, layer, { counted: false }),
    keepInMemory: false,
    signal,
  });
}

export interface FillOptions {
  origin: Origin<SpanUnit>;
  keepInMemory: boolean;
  signal: AbortSignal | undefined;
  /** Ends it with IO where no tier below memory takes anything any more. */
  lasting?: boolean;
  /** Told of bytes that are in the tiers by now, those that were there before included. */
  onLoaded?: (bytes: number) => void;
}

/**
 * Loads the spans (of one layer, ascending) that no tier has yet, two windows at a time, ahead of any demand: they count as `prefetched`
 * and as nothing else.
 */
export async function fillSpans(
  context: ReadContext,
  spans: Iterable<Span>,
  options: FillOptions,
): Promise<void> {
  const absent: Span[] = [];
  for (const span of spans) {
    if (context.cache.contains(unitOf(span))) options.onLoaded?.(span.length);
    else absent.push(span);
  }
  const windows = windowsOfSpans(absent);
  const flying: { units: readonly SpanUnit[]; batch: Batch }[] = [];

  async function launch(): Promise<void> {
    const { value: window, done } = await windows.next();
    if (done) return;
    options.signal?.throwIfAborted();
    await context.cache.ready();
    const { units } = window;
    flying.push({ units, batch: context.cache.load(units, options) });
  }

  try {
    await launch();
    for (let current = flying[0]; current; current = flying[0]) {
      // The next one is on its way meanwhile.
      await launch();
      const { units, batch } = current;
      let bytes = 0;
      for (const i of units.keys()) {
        bytes += (await abortable(Promise.resolve(batch.take(i)), options.signal)).byteLength;
      }
      context.observer.emit({ type: 'prefetched', units: units.length, bytes });
      options.onLoaded?.(bytes);
      if (options.lasting && !context.cache.takes()) throw notKept();
      batch.release();
      flying.shift();
    }
  } finally {
    for (const { batch } of flying) batch.release();
  }
}

function notKept(): ClipError {
  return new ClipError('IO', 'no cache keeps what is fetched', {
    hint: 'the warning before this says why: mend that, or name another cache with --cache-dir or --remote-cache',
  });
}
