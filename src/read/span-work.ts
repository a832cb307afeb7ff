import { now } from '../clock.js';
import type { Span } from '../format/model.js';
import { layerInfo, type ReadContext } from './context.js';
import type { OpenThreads } from './decoders.js';
import { deliverSpan } from './deliver.js';
import { turn } from './turns.js';

/** What becomes of compressed spans: inflated, here or in threads, and delivered. */
export interface SpanWork {
  /** Takes a span; resolves when the next one can be taken. `compressed` is the work's own from now on. */
  add(span: Span, compressed: Uint8Array): Promise<void>;
  /** Resolves when all spans are delivered. Throws what the first of them that cannot be delivered throws. */
  end(): Promise<void>;
}

export interface SpanWorkOptions {
  /** False for spans that nobody has asked for yet: their inflates count nowhere. */
  counted: boolean;
  signal: AbortSignal;
  /** Threads to use once they have started. */
  threads: OpenThreads | undefined;
}

/** Spans in work for each thread: what it works on, what lies ready there, and one that is on its way. */
const PER_THREAD = 3;

export function createSpanWork(context: ReadContext, layer: number, options: SpanWorkOptions): SpanWork {
  const { counted, signal, threads } = options;
  const { observer } = context;
  const info = layerInfo(context, layer);
  const pending = new Set<Promise<void>>();
  let failure: { index: number; error: unknown } | undefined;

  async function inflateHere(span: Span, compressed: Uint8Array): Promise<void> {
    const spanContext = await context.index.spanContext(layer, span);
    begun(span);
    const { inflateSpan } = await context.decoders();
    await turn();
    const started = now();
    const answer = inflateSpan(info.encoding, span, spanContext, compressed);
    const value = answer instanceof Promise ? await answer : answer;
    ended(span, (now() - started) / 1000);
    deliverSpan(context, layer, { span, value });
  }

  async function inflateThere(there: OpenThreads, span: Span, compressed: Uint8Array): Promise<void> {
    const spanContext = await context.index.spanContext(layer, span);
    const job = { span, context: spanContext, compressed: compressed as Uint8Array<ArrayBuffer> };
    const { value, digest, seconds } = await there.inflate(job, signal);
    begun(span);
    ended(span, seconds);
    deliverSpan(context, layer, { span, value, digest });
  }

  function begun({ digest }: Span): void {
    if (counted) observer.emit({ type: 'inflate-start', unit: 'span', layer: info.digest, key: digest });
  }

  function ended({ digest, length }: Span, seconds: number): void {
    if (!counted) return;
    observer.emit({ type: 'inflate', unit: 'span', layer: info.digest, key: digest, bytes: length, seconds });
  }

  return {
    async add(span, compressed) {
      if (info.encoding === 'plain') return deliverSpan(context, layer, { span, value: compressed });
      if (!threads?.ready()) return inflateHere(span, compressed);
      const work = inflateThere(threads, span, compressed)
        .catch((error: unknown) => {
          if (!failure || span.index < failure.index) failure = { index: span.index, error };
        })
        .finally(() => pending.delete(work));
      pending.add(work);
      while (pending.size >= threads.size * PER_THREAD) await Promise.race(pending);
      if (failure) throw failure.error;
    },
    async end() {
      await Promise.all(pending);
      if (failure) throw failure.error;
    },
  };
}
