import type { Encoding, Span, SpanContext } from '../format/model.js';
import type { SpanDigests } from './span-digests.js';

/** What a scan yields, in order. */
export interface ScanSink {
  /** The next uncompressed bytes. The view is valid only during the call. */
  data(bytes: Uint8Array): void;
  /** The next span is complete: all its bytes went to `data` before. `context` may be kept. */
  span(span: Span, context: SpanContext): void;
}

export interface ScanSummary {
  encoding: Encoding;
  uncompressedSize: number;
  /** Bytes after the last member or frame that are not part of it (zero padding, garbage). */
  trailingBytes: number;
}

/** Decodes a layer as it streams past, in bounded memory, and cuts it into spans. */
export interface LayerScanner {
  /** Compressed bytes, in order, any chunk sizes. Awaits only where the decoder does (zstd). Throws ClipError CORRUPT_LAYER. */
  push(chunk: Uint8Array): void | Promise<void>;
  /** Checks trailers and that the stream is whole. */
  end(): ScanSummary | Promise<ScanSummary>;
}

export interface ScanOptions {
  /** Uncompressed bytes between checkpoints: 131,072 to 67,108,864. */
  spacing: number;
  /**
   * Digests of gzip spans that are computed elsewhere, over the bytes that went to `data`: the spans that are yielded have none
   * yet. Default: in this thread.
   */
  digests?: SpanDigests | undefined;
}
