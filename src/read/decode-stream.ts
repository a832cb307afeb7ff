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
  let excess = 0;

  function data(bytes: Uint8Array): void {
    clock.pause();
    let used = 0;
    while (used < bytes.byteLength) {
      const span = spans[next];
      if (!span) {
        excess += bytes.byteLength - used;
        break;
      }
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
      }
    }
    clock.resume();
  }

  const decoder = options.decoders.createLayerDecoder(options.encoding, { data });
  for await (const chunk of options.chunks) {
    signal.throwIfAborted();
    clock.resume();
    const pushing = decoder.push(chunk);
    if (pushing) await pushing;
    clock.pause();
    if (excess > 0) break;
    if (options.stopEarly && next === spans.length) return;
  }
  signal.throwIfAborted();
  if (excess === 0) {
    const ending = decoder.end();
    if (ending) await ending;
  }
  if (excess > 0 || next < spans.length) {
    const what = excess > 0 ? 'more' : 'less';
    throw new ClipError('CORRUPT_LAYER', `the layer inflates to ${what} than the index says`);
  }
}
