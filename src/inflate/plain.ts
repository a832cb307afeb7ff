import { ClipError } from '../errors.js';
import type { Span, SpanContext } from '../format/model.js';
import type { LayerScanner, ScanOptions, ScanSink } from './scanner.js';
import { createSpanHash } from './span-hash.js';

/**
 * Layers that are not compressed. Spans are plain ranges of `spacing` bytes; the last one is what is left. What the bytes are
 * is not looked at: a layer that is no tar either is refused by the tar walk.
 */

const NO_CONTEXT: SpanContext = { window: new Uint8Array(0), header: undefined };

/** Scans an uncompressed layer. Never throws: every byte string is a plain layer. */
export function createPlainScanner(sink: ScanSink, { spacing }: ScanOptions): LayerScanner {
  const current = createSpanHash();
  let index = 0;
  let offset = 0;

  function cut(): void {
    const length = current.length;
    const end = offset + length;
    const digest = current.take();
    sink.span({ index, offset, length, byte: offset, bit: 0, end, kind: 'raw', skip: 0, digest }, NO_CONTEXT);
    index++;
    offset = end;
  }

  return {
    push(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const piece = chunk.subarray(at, at + spacing - current.length);
        sink.data(piece);
        current.update(piece);
        at += piece.length;
        if (current.length === spacing) cut();
      }
    },
    end() {
      if (current.length > 0) cut();
      return { encoding: 'plain', uncompressedSize: offset, trailingBytes: 0 };
    },
  };
}

/**
 * A span of an uncompressed layer from its own bytes.
 * @throws ClipError CORRUPT_LAYER when `bytes` are not exactly the span's.
 */
export function readPlainSpan(span: Span, bytes: Uint8Array): Uint8Array {
  if (bytes.length !== span.length) {
    throw new ClipError('CORRUPT_LAYER', `span ${span.index} has ${span.length} bytes, got ${bytes.length}`);
  }
  return bytes;
}
