import type { LayerScanner, ScanOptions, ScanSink } from '../scanner.js';
import type { FrameDecoder } from './frame-decoder.js';
import { createFrames } from './frames.js';
import { createSpanGrouping } from './group-spans.js';

export interface ZstdOptions {
  /** Default: the one for the running Node. */
  decoder?: FrameDecoder;
}

/**
 * Scans a zstd layer (RFC 8878). Every frame's size and checksum are verified; what is behind the last frame and is no frame
 * itself is an error, as it is for zstd and containerd.
 */
export function createZstdScanner(sink: ScanSink, options: ScanOptions & ZstdOptions): LayerScanner {
  const frames = createFrames({ decoder: options.decoder });
  const spans = createSpanGrouping(options.spacing, (span, context) => sink.span(span, context));
  let size = 0;

  return {
    async push(chunk) {
      try {
        for await (const event of frames.push(chunk)) {
          switch (event.type) {
            case 'frame':
              spans.frame(event.byte, event.length);
              break;
            case 'data':
              size += event.bytes.length;
              sink.data(event.bytes);
              spans.data(event.bytes);
              break;
            case 'end':
              spans.end(event.byte);
              break;
            case 'skipped':
              spans.skipped(event.size);
              break;
          }
        }
      } catch (error) {
        frames.close();
        throw error;
      }
    },
    end() {
      try {
        frames.end();
      } finally {
        frames.close();
      }
      spans.finish();
      return { encoding: 'zstd', uncompressedSize: size, trailingBytes: 0 };
    },
  };
}
