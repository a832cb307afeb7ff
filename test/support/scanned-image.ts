import type { Span, SpanContext } from '../../src/format/model.js';
import { createLayerDecoder } from '../../src/inflate/decode.js';
import { inflateSpan } from '../../src/inflate/resume.js';
import { createLayerScanner } from '../../src/inflate/scan.js';
import type { Decoders } from '../../src/read/decoders.js';
import { type FakeImage, fakeSource, sha256 } from './fake-image.js';

export const realDecoders: Decoders = { inflateSpan, createLayerDecoder };

/** The same image with its layers packed anew and scanned by clip itself. */
export async function scannedImage(
  image: FakeImage,
  options: { pack: (tar: Uint8Array) => Uint8Array; spacing: number },
): Promise<FakeImage> {
  const scans = await Promise.all(
    image.layers.map(async (tar, i) => {
      const blob = options.pack(tar);
      const spans: Span[] = [];
      const contexts: SpanContext[] = [];
      const sink = {
        data() {},
        span(span: Span, context: SpanContext) {
          spans.push(span);
          contexts.push(context);
        },
      };
      const scanner = createLayerScanner(sink, { spacing: options.spacing });
      await scanner.push(blob);
      const { encoding, uncompressedSize } = await scanner.end();
      const digest = `sha256:${sha256(blob)}`;
      const old = image.index.layers[i];
      if (!old) throw new Error('no layer');
      const size = blob.byteLength;
      const info = { ...old, digest, size, encoding, uncompressedSize, spanCount: spans.length };
      return { blob, spans, contexts, info };
    }),
  );
  return {
    ...image,
    source: fakeSource(scans.map((scan) => scan.blob)),
    index: {
      ...image.index,
      layers: scans.map((scan) => scan.info),
      async spans(layer, offset, length) {
        return (scans[layer]?.spans ?? []).filter(
          (span) => span.offset < offset + length && span.offset + span.length > offset,
        );
      },
      async spanContext(layer, span) {
        const context = scans[layer]?.contexts[span.index];
        if (!context) throw new Error('no context');
        return context;
      },
    },
  };
}
