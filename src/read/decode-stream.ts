import { ClipError } from '../errors.js';
import type { Encoding, Span } from '../format/model.js';
import { createDecoderClock } from './decoder-clock.js';
import type { Decoders } from './decoders.js';

export interface DecodeStreamOptions {
  decoders: Decoders;
  encoding: Encoding;
  /** Consecutive spans, the first of which begins with the stream's first uncompressed byte. */
  spans: readonly Span[];
  /** Compressed bytes. */
  chunks: AsyncIterable<Uint8Array>;
  /** Each span when it is whole; `seconds` is decoder time since the one before. */
  onSpan(span: Span, value: Uint8Array, seconds: number): void;
  signal: AbortSignal;
  /** True: the stream may be left once the last span is whole, and is not read to its end. */
  stopEarly?: boolean;
}

/**
 * One decoder run over a stream, cut at span boundaries. At most one span is held. Throws CORRUPT_LAYER when the stream
 * yields less or more than the spans.
 */
export async function decodeStream(options: DecodeStreamOptions): Promise<void> {
  const { spans, signal } = options;
  const clock = createDecoderClock();
  let next = 0;
  let filled = 0;
  let value: Uint8Array | undefined;

  /** What it throws ends the push that it came from, however much that would still bring. */
  function data(bytes: Uint8Array): void {
    clock.pause();
    signal.throwIfAborted();
    let used = 0;
    while (used < bytes.byteLength) {
      const span = spans[next];
      if (!span) throw wrongLength('more');
      value ??= new Uint8Array(Buffer.allocUnsafeSlow(span.length).buffer);
      const take = Math.min(span.length - filled, bytes.byteLength - used);
      value.set(bytes.subarray(used, used + take), filled);
      filled += take;
      used += take;
      if (filled === span.length) {
        next++;
        filled = 0;
        const whole = value;
        value = undefined;
        options.onSpan(span, whole, clock.take());
        if (options.stopEarly && next === spans.length) throw ENOUGH;
      }
    }
    clock.resume();
  }

  const decoder = options.decoders.createLayerDecoder(options.encoding, { data });
  try {
    for await (const chunk of options.chunks) {
      signal.throwIfAborted();
      clock.resume();
      const pushing = decoder.push(chunk);
      if (pushing) await pushing;
      clock.pause();
    }
    signal.throwIfAborted();
    const ending = decoder.end();
    if (ending) await ending;
  } catch (error) {
    if (error !== ENOUGH) throw error;
  } finally {
    decoder.close();
  }
  if (next < spans.length) throw wrongLength('less');
}

/** The last span that is wanted is whole. */
const ENOUGH = new Error('enough');

function wrongLength(what: 'more' | 'less'): ClipError {
  return new ClipError('CORRUPT_LAYER', `the layer inflates to ${what} than the index says`);
}
