import type { Encoding, Span, SpanContext } from '../format/model.js';

/** What the read path needs from the inflate room; tests put other decoders in its place. */
export interface Decoders {
  /** Decodes one span from its compressed bytes [span.byte, span.end): exactly `span.length` bytes, or ClipError CORRUPT_LAYER. */
  inflateSpan(
    encoding: Encoding,
    span: Span,
    context: SpanContext,
    compressed: Uint8Array,
  ): Uint8Array | Promise<Uint8Array>;
  /** Decodes a stream from its first byte. `data` gets views that are valid only during the call. */
  createLayerDecoder(encoding: Encoding, sink: { data(bytes: Uint8Array): void }): LayerDecoder;
}

export interface LayerDecoder {
  push(chunk: Uint8Array): void | Promise<void>;
  end(): void | Promise<void>;
}
