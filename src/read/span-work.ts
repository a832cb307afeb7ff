import { now } from '../clock.js';
import type { Span, SpanContext } from '../format/model.js';
import { layerInfo, type ReadContext } from './context.js';
import type { Decoders, OpenThreads } from './decoders.js';
import { deliverSpan } from './deliver.js';
import { turn } from './turns.js';

/** What becomes of compressed spans: inflated, here or in threads, and delivered. */
export interface SpanWork {
  /** Takes a span; resolves when the next one can be taken. `compressed` is the work's own from now on. */
  add(span: Span, compressed: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Resolves when all spans are delivered. Throws what the first of them that cannot be delivered throws. */
  end(): Promise<void>;
}

export interface SpanWorkOptions {
  /** False for spans that nobody has asked for yet: their inflates count nowhere. */
  counted: boolean;
  signal: AbortSignal;
}

/** A span with all that its inflating needs. */
interface Job {
  span: Span;
  compressed: Uint8Array<ArrayBuffer>;
  context: SpanContext;
  inflateSpan: Decoders['inflateSpan'];
}

/** Spans in work for each thread: what it works on, what lies ready there, and one that is on its way. */
const PER_THREAD = 3;

export function createSpanWork(context: ReadContext, layer: number, options: SpanWorkOptions): SpanWork {
  const { counted, signal } = options;
  const { observer } = context;
  const info = layerInfo(context, layer);
  const pending = new Set<Promise<void>>();
  let failure: { index: number; error: unknown } | undefined;

  async function inflateHere(job: Job): Promise<void> {
    const { span, compressed } = job;
    begun(span);
    const started = now();
    const answer = job.inflateSpan(info.encoding, span, job.context, compressed);
    const value = answer instanceof Promise ? await answer : answer;
    context.buffers.give(compressed);
    ended(span, (now() - started) / 1000);
    deliverSpan(context, layer, { span, value });
  }

  async function inflateThere(there: OpenThreads, job: Job): Promise<void> {
    const { span, compressed } = job;
    const sent = { span, context: job.context, compressed };
    const { value, digest, seconds } = await there.inflate(sent, signal);
    begun(span);
    ended(span, seconds);
    deliverSpan(context, layer, { span, value, digest });
  }

  /** Only gzip spans are inflated in threads. */
  function threadsFor(): OpenThreads | undefined {
    return info.encoding === 'gzip' ? context.threads.ready() : undefined;
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
      const spanContext = await context.index.spanContext(layer, span);
      const { inflateSpan } = await context.decoders();
      const job = { span, compressed, context: spanContext, inflateSpan };
      // Whoever waited for a turn among many may find that threads have started meanwhile.
      await turn();
      const threads = threadsFor();
      if (!threads) return inflateHere(job);
      const work = inflateThere(threads, job)
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
