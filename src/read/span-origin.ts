import { maxStored } from '../format/limits.js';
import type { Span } from '../format/model.js';
import { type Begun, begin, begunAhead } from './begin.js';
import { blobRange } from './blob.js';
import { layerInfo, type ReadContext } from './context.js';
import { decodeStream } from './decode-stream.js';
import { deliverSpan, keepsInMemory } from './deliver.js';
import type { LongRanges } from './long-ranges.js';
import { cutRanges } from './ranges.js';
import { joinRun } from './runs.js';
import { createSpanWork, type SpanWork } from './span-work.js';
import { spanClaim } from './unit-claims.js';
import { type SpanUnit, unitOf } from './units.js';

/** Compressed bytes that one request asks for, unless a single span is larger. A window (units.ts) usually stays below it. */
const MAX_RUN = 16 << 20;

/** Requests of one load that are under way at once: over a long line most of a request is waiting. */
const REQUESTS = 4;

export interface SpanLoad {
  /** False for spans that nobody has asked for yet: their inflates count nowhere. */
  counted: boolean;
  /** Of a walk that will ask for neighbours; default: a request for each run of spans. */
  ranges?: LongRanges | undefined;
}

/** Neighbours that one request brings, or, `streamed`, spans that are decoded from the start that they share. */
interface Part {
  spans: Span[];
  streamed: boolean;
}

/**
 * Fetches spans one by one: neighbours with one single-range request, inflated as the bytes arrive, many of them in threads. Spans that
 * share their start (a long zstd frame) are decoded together, all that the tiers have room for.
 */
export async function fetchSpans(
  context: ReadContext,
  layer: number,
  options: SpanLoad & { missing: readonly SpanUnit[]; signal: AbortSignal },
): Promise<void> {
  const { counted, missing, signal } = options;
  const spans = missing.map((unit) => unit.span);
  const parts = await partsOf(context, layer, spans);
  const leave = context.threads.enter(bytesForThreads(context, layer, spans));
  const work = createSpanWork(context, layer, { counted, signal });
  const dropped = new AbortController();
  try {
    for (const [{ spans }, chunks] of begunAhead(parts, { most: REQUESTS, begin: beginPart, drop })) {
      if (chunks) await inflateRun(context, chunks, { run: spans, work, signal });
      else await decodeGroup(context, layer, { wanted: spans, signal, counted });
    }
  } finally {
    // What is in a thread came before what failed here, and so does its failure.
    await work.end().finally(leave);
  }

  function beginPart({ spans, streamed }: Part): Begun<Uint8Array> | undefined {
    if (streamed) return undefined;
    const range = {
      start: spans[0]!.byte,
      end: spans.at(-1)!.end,
      signal: parts.length > 1 ? AbortSignal.any([signal, dropped.signal]) : signal,
    };
    const { ranges } = options;
    return begin(ranges?.read(layer, range) ?? blobRange(context, layerInfo(context, layer), range));
  }

  function drop(chunks: Begun<Uint8Array> | undefined): void {
    dropped.abort();
    chunks?.drop();
  }
}

async function partsOf(context: ReadContext, layer: number, spans: readonly Span[]): Promise<Part[]> {
  const parts: Part[] = [];
  for (const [i, span] of spans.entries()) {
    const streamed = await isStreamed(context, layer, span);
    const part = parts.at(-1);
    const first = part?.spans[0];
    const goesOn =
      first !== undefined &&
      part?.streamed === streamed &&
      (streamed ? startOf(span) === startOf(first) : follows(spans, i, first.byte));
    if (goesOn) part!.spans.push(span);
    else parts.push({ spans: [span], streamed });
  }
  return parts;
}

/** Only gzip spans are inflated in threads. */
function bytesForThreads(context: ReadContext, layer: number, spans: readonly Span[]): number {
  if (layerInfo(context, layer).encoding !== 'gzip') return 0;
  return spans.reduce((sum, span) => sum + span.length, 0);
}

function follows(spans: readonly Span[], i: number, runStart: number): boolean {
  const span = spans[i];
  const before = spans[i - 1];
  return (
    span !== undefined &&
    before !== undefined &&
    span.index === before.index + 1 &&
    span.end - runStart <= MAX_RUN
  );
}

/**
 * Whether another span is decoded from the same start, or the span is decoded as its bytes come for another reason: frames that hold nothing
 * may come before it in any number.
 */
async function isStreamed(context: ReadContext, layer: number, span: Span): Promise<boolean> {
  if (span.kind !== 'frame') return false;
  if (span.skip > 0 || span.end - span.byte > maxStored(span.length)) return true;
  const after = span.offset + span.length;
  if (after >= layerInfo(context, layer).uncompressedSize) return false;
  const [next] = await context.index.spans(layer, after, 1);
  return next !== undefined && next.byte === span.byte;
}

async function inflateRun(
  context: ReadContext,
  chunks: AsyncIterable<Uint8Array>,
  { run, work, signal }: { run: readonly Span[]; work: SpanWork; signal: AbortSignal },
): Promise<void> {
  const start = (run[0] as Span).byte;
  const ranges = run.map((span) => ({ start: span.byte - start, end: span.end - start }));
  let next = 0;
  for await (const compressed of cutRanges(chunks, ranges, context.buffers)) {
    signal.throwIfAborted();
    await work.add(run[next++] as Span, compressed);
  }
}

/**
 * Decodes from the start that `wanted` share. All spans of the group are delivered when a tier can hold them, in one run for all who
 * ask meanwhile; when none can, decoding stops at the last one that is wanted.
 */
async function decodeGroup(
  context: ReadContext,
  layer: number,
  options: SpanLoad & { wanted: readonly Span[]; signal: AbortSignal },
): Promise<void> {
  const { wanted, signal, counted } = options;
  const last = wanted.at(-1) as Span;
  const group = await groupOf(context, layer, last);
  const bytes = group.reduce((sum, span) => sum + span.length, 0);
  const room = context.cache.room(bytes);
  if (!room.memory && !room.lower) {
    const first = wanted[0] as Span;
    const spans = group.filter((span) => span.index <= last.index);
    await decode({ context, layer, spans, counted, signal, stopEarly: true, deliverFrom: first.index });
    return;
  }
  await joinRun(context, {
    key: `${layer}:${last.byte}`,
    units: wanted.map(unitOf),
    signal,
    start: (run) => {
      const release = context.cache.retain(spanClaim(layerInfo(context, layer), last));
      return decode({
        context,
        layer,
        spans: group,
        counted,
        signal: run.signal,
        onPassed: run.pass,
        bytes,
      }).finally(release);
    },
  });
}

async function decode(options: {
  context: ReadContext;
  layer: number;
  spans: readonly Span[];
  counted: boolean;
  signal: AbortSignal;
  stopEarly?: boolean;
  deliverFrom?: number;
  onPassed?: (span: Span) => void;
  bytes?: number;
}): Promise<void> {
  const { context, layer, spans, counted, signal, stopEarly = false, deliverFrom = 0 } = options;
  const info = layerInfo(context, layer);
  const { byte, end } = spans[0] as Span;
  const keep = options.bytes !== undefined && keepsInMemory(context, options.bytes);
  const about = { unit: 'span', layer: info.digest } as const;
  await decodeStream({
    decoders: await context.decoders(),
    encoding: info.encoding,
    spans,
    chunks: blobRange(context, info, { start: byte, end, signal }),
    signal,
    stopEarly,
    onSpan(span, value, seconds) {
      if (counted) {
        context.observer.emit({ type: 'inflate-start', ...about, key: span.digest });
        context.observer.emit({
          type: 'inflate',
          ...about,
          key: span.digest,
          bytes: value.byteLength,
          seconds,
        });
      }
      if (span.index >= deliverFrom) deliverSpan(context, layer, { span, value, keepInMemory: keep });
      options.onPassed?.(span);
    },
  });
}

/** Where in the layer the first byte lies that decoding for a span yields. */
function startOf({ offset, skip }: Span): number {
  return offset - skip;
}

async function groupOf(context: ReadContext, layer: number, member: Span): Promise<Span[]> {
  // The index vouches that each of these goes on where the one before ends.
  const group = await context.index.spans(layer, startOf(member), member.skip + member.length);
  let offset = member.offset + member.length;
  const { uncompressedSize } = layerInfo(context, layer);
  while (offset < uncompressedSize) {
    const found = await context.index.spans(layer, offset, Math.min(64 << 20, uncompressedSize - offset));
    if (found.length === 0) break;
    for (const span of found) {
      if (span.byte !== member.byte) return group;
      group.push(span);
      offset = span.offset + span.length;
    }
  }
  return group;
}
