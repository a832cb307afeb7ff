/** Decodes a whole gzip layer: no checkpoints, no marks. */
import { acquireCore, type Core, releaseCore } from './core.js';
import { createMemberReader } from './reader.js';

export interface GzipDecoder {
  /** Compressed bytes, in order, any chunk sizes. Throws ClipError CORRUPT_LAYER. */
  push(chunk: Uint8Array): void;
  /** Checks that the stream is whole. Throws ClipError CORRUPT_LAYER. */
  end(): void;
  /** Gives the core back; for a stream that is left before its end, harmless otherwise. */
  close(): void;
}

export interface GzipDecoderOptions {
  /** Check each member's CRC-32 and length; true by default. */
  verify?: boolean;
}

/** Hands uncompressed bytes to `sink.data` as they come; each view is valid only during the call. */
export function createGzipDecoder(
  sink: { data(bytes: Uint8Array): void },
  { verify = true }: GzipDecoderOptions = {},
): GzipDecoder {
  let core: Core | undefined = acquireCore();
  const reader = createMemberReader(core, { data: (bytes) => sink.data(bytes) }, { verify });
  const close = (): void => {
    if (core !== undefined) releaseCore(core);
    core = undefined;
  };
  const guarded = (work: () => void): void => {
    if (core === undefined) throw new Error('the decoder is closed');
    try {
      work();
    } catch (error) {
      close();
      throw error;
    }
  };
  return {
    push: (chunk) => guarded(() => reader.push(chunk)),
    end() {
      guarded(() => reader.end());
      close();
    },
    close,
  };
}
