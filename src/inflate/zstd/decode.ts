import { createFrames } from './frames.js';
import type { ZstdOptions } from './scan.js';

/** Decodes a whole zstd layer as it streams past; every frame's size and checksum are verified. */
export function createZstdDecoder(sink: { data(bytes: Uint8Array): void }, options: ZstdOptions = {}) {
  const frames = createFrames(options);
  return {
    async push(chunk: Uint8Array): Promise<void> {
      try {
        for await (const event of frames.push(chunk)) if (event.type === 'data') sink.data(event.bytes);
      } catch (error) {
        frames.close();
        throw error;
      }
    },
    end(): void {
      try {
        frames.end();
      } finally {
        frames.close();
      }
    },
    close: () => frames.close(),
  };
}
