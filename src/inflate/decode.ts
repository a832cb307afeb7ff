import type { Encoding } from '../format/model.js';
import { createGzipDecoder } from './gzip/decode.js';

/** Decodes a whole layer as it streams past, without cutting it into spans. */
export interface LayerDecoder {
  /** Compressed bytes, in order, any chunk sizes; await it before the next. Throws ClipError as the scan does. */
  push(chunk: Uint8Array): void | Promise<void>;
  /** Checks that the stream is whole. */
  end(): void | Promise<void>;
  /** Frees what it holds; for a stream that is left before its end, harmless otherwise. */
  close(): void;
}

export interface DecoderSink {
  /** The next uncompressed bytes. The view is valid only during the call. */
  data(bytes: Uint8Array): void;
}

export function createLayerDecoder(encoding: Encoding, sink: DecoderSink): LayerDecoder {
  switch (encoding) {
    case 'gzip':
      return createGzipDecoder(sink);
    case 'zstd':
      return createLazyZstdDecoder(sink);
    case 'plain':
      return { push: (chunk) => sink.data(chunk), end() {}, close() {} };
  }
}

/** Loads what only zstd needs with the first bytes. */
function createLazyZstdDecoder(sink: DecoderSink): LayerDecoder {
  let decoder: LayerDecoder | undefined;
  return {
    async push(chunk) {
      decoder ??= (await import('./zstd/decode.js')).createZstdDecoder(sink);
      await decoder.push(chunk);
    },
    async end() {
      await decoder?.end();
    },
    close() {
      decoder?.close();
    },
  };
}
