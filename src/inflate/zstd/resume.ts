import { ClipError } from '../../errors.js';
import type { Span } from '../../format/model.js';
import { createFrames } from './frames.js';
import type { ZstdOptions } from './scan.js';

/** Whether two spans come out of one decode of the same compressed bytes: see `Span.skip`. */
export function isSameGroup(a: Span, b: Span): boolean {
  return a.kind === 'frame' && b.kind === 'frame' && a.byte === b.byte && a.end === b.end;
}

/**
 * The bytes of each of `spans`, some or all of one group (`isSameGroup`) in ascending order, from one decode of
 * `compressed`, the bytes [byte, end) of the blob in any chunks. Memory is bounded by one span, one chunk and the frame's window;
 * decoding goes no further than the consumer asks, and ends with the last span wanted, leaving the rest of `compressed` unread.
 * Digests are the caller's to check.
 *
 * @throws ClipError CORRUPT_LAYER, UNSUPPORTED, LIMIT; FAILED when the spans are not of one group and in order.
 */
export async function* decodeFrameGroup(
  spans: readonly Span[],
  compressed: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ZstdOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  checkOrder(spans);
  if (spans.length === 0) return;
  const frames = createFrames({ ...options, start: spans[0]!.byte });
  let next = 0;
  /** Uncompressed bytes of the group so far. */
  let made = 0;
  let buffer = createBuffer(spans[0]!.length);
  try {
    for await (const chunk of compressed) {
      for await (const event of frames.push(chunk)) {
        if (event.type !== 'data') continue;
        const { bytes } = event;
        for (let at = 0; at < bytes.length; ) {
          const { skip, length } = spans[next]!;
          if (made < skip) {
            const step = Math.min(skip - made, bytes.length - at);
            made += step;
            at += step;
            continue;
          }
          const piece = bytes.subarray(at, at + skip + length - made);
          buffer.add(piece);
          made += piece.length;
          at += piece.length;
          if (made < skip + length) continue;
          yield buffer.take();
          if (++next === spans.length) return;
          buffer = createBuffer(spans[next]!.length);
        }
      }
    }
    frames.end();
  } finally {
    frames.close();
  }
  throw new ClipError(
    'CORRUPT_LAYER',
    `zstd frames at byte ${spans[0]!.byte} end before span ${spans[next]!.index} does`,
  );
}

/** One span from the bytes [byte, end) of the blob: exactly `span.length` bytes. Throws as `decodeFrameGroup` does. */
export async function inflateFrameSpan(
  span: Span,
  compressed: Uint8Array,
  options: ZstdOptions = {},
): Promise<Uint8Array> {
  for await (const bytes of decodeFrameGroup([span], [compressed], options)) return bytes;
  throw new ClipError('FAILED', 'decodeFrameGroup yields every span or throws');
}

function checkOrder(spans: readonly Span[]): void {
  for (const [at, span] of spans.entries()) {
    const before = spans[at - 1];
    const isOrdered =
      before === undefined || (isSameGroup(before, span) && before.skip + before.length <= span.skip);
    if (!isOrdered || span.length < 1)
      throw new ClipError('FAILED', `span ${span.index} is not next in its group`);
  }
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
