import type { Encoding, Span, SpanContext } from '../format/model.js';
import { inflateGzipSpan } from './gzip/resume.js';
import { readPlainSpan } from './plain.js';

/**
 * A span's bytes from `compressed`, the bytes [span.byte, span.end) of the blob. Exactly `span.length` bytes; their digest is the
 * caller's to check. Spans that share a zstd frame come cheaper together, from `createLayerDecoder`.
 *
 * @throws ClipError CORRUPT_LAYER; for zstd also UNSUPPORTED and LIMIT.
 */
export function inflateSpan(
  encoding: Encoding,
  span: Span,
  context: SpanContext,
  compressed: Uint8Array,
): Uint8Array | Promise<Uint8Array> {
  switch (encoding) {
    case 'gzip':
      return inflateGzipSpan(span, context, compressed);
    case 'zstd':
      return import('./zstd/resume.js').then(({ inflateFrameSpan }) => inflateFrameSpan(span, compressed));
    case 'plain':
      return readPlainSpan(span, compressed);
  }
}
