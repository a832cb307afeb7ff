import type { Buffers } from '../buffers.js';
import type { Encoding, Span, SpanContext } from '../format/model.js';
import type { DecoderSink, LayerDecoder } from '../inflate/decode.js';
import type { SpanThreads } from '../inflate/span-threads.js';

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
  createLayerDecoder(encoding: Encoding, sink: DecoderSink): LayerDecoder;
  /** Threads for gzip spans; undefined where they cannot help. */
  threads?: ThreadOptions | undefined;
}

export interface ThreadOptions {
  /** Uncompressed bytes that the loads under way must want before threads are started for them and all that follow. */
  worthFrom: number;
  open(buffers: Buffers): Promise<OpenThreads>;
}

export type OpenThreads = SpanThreads;
