import { ClipError } from '../../errors.js';
import type { Span } from '../../format/model.js';
import { createFrames } from './frames.js';
import type { ZstdOptions } from './scan.js';

/**
 * One span from `compressed`, the bytes [byte, end) of the blob: exactly `span.length` bytes. Memory is bounded by the span, a piece and the
 * frame's window; decoding ends with the span's last byte. The digest is the caller's to check.
 *
 * @throws ClipError CORRUPT_LAYER, UNSUPPORTED, LIMIT.
 */
export async function inflateFrameSpan(
  { index, byte, skip, length }: Span,
  compressed: Uint8Array,
  options: ZstdOptions = {},
): Promise<Uint8Array> {
  const frames = createFrames({ ...options, start: byte });
  const buffer = createBuffer(length);
  /** Uncompressed bytes so far, those that are skipped included. */
  let made = 0;
  try {
    for await (const event of frames.push(compressed)) {
      if (event.type !== 'data') continue;
      const { bytes } = event;
      buffer.add(bytes.subarray(Math.max(skip - made, 0), skip + length - made));
      made += bytes.length;
      if (made >= skip + length) return buffer.take();
    }
    frames.end();
  } finally {
    frames.close();
  }
  throw new ClipError('CORRUPT_LAYER', `zstd frames at byte ${byte} end before span ${index} does`);
}

/** Holds what really came: a span's length alone, which an index states, reserves no more than the first bytes do. */
function createBuffer(length: number) {
  let bytes = new Uint8Array(Math.min(length, 1 << 20));
  let size = 0;
  return {
    /** `piece` must not go beyond `length`. */
    add(piece: Uint8Array): void {
      if (size + piece.length > bytes.length) {
        const larger = new Uint8Array(Math.min(length, Math.max(2 * bytes.length, size + piece.length)));
        larger.set(bytes.subarray(0, size));
        bytes = larger;
      }
      bytes.set(piece, size);
      size += piece.length;
    },
    take: () => bytes,
  };
}
