import type { Buffers } from '../buffers.js';
import { ClipError } from '../errors.js';

/** Taken for a range before its bytes arrive; a span seldom needs more. */
const AT_FIRST = 2 << 20;

/**
 * Cuts a stream into ranges as it passes. `ranges` ascend by their beginning; neighbours may overlap (two spans share the byte that a
 * checkpoint splits). Positions are relative to the stream's first byte. Each result is alone in its buffer, which past 2 MiB grows
 * with what has arrived, not with what was announced.
 */
export async function* cutRanges(
  chunks: AsyncIterable<Uint8Array>,
  ranges: readonly { start: number; end: number }[],
  buffers: Buffers,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let next = 0;
  /** The current range so far, and where in the stream the chunk begins. */
  let target: Uint8Array<ArrayBuffer> | undefined;
  let filled = 0;
  let position = 0;

  /** Copies: the source may use the chunk's memory again. */
  function add(bytes: Uint8Array, expected: number): void {
    target ??= buffers.take(Math.min(expected, AT_FIRST));
    if (filled + bytes.byteLength > target.byteLength) {
      const larger = buffers.take(
        Math.min(expected, Math.max(target.byteLength * 2, filled + bytes.byteLength)),
      );
      larger.set(target.subarray(0, filled));
      buffers.give(target);
      target = larger;
    }
    target.set(bytes, filled);
    filled += bytes.byteLength;
  }

  for await (const chunk of chunks) {
    let used = 0;
    while (next < ranges.length) {
      const range = ranges[next] as { start: number; end: number };
      const from = Math.max(used, range.start - position);
      if (from >= chunk.byteLength) break;
      const to = Math.min(chunk.byteLength, range.end - position);
      add(chunk.subarray(from, to), range.end - range.start);
      used = to;
      if (position + to < range.end) break;
      const whole = target!.subarray(0, filled);
      target = undefined;
      filled = 0;
      next++;
      const following = ranges[next];
      if (following && following.start < range.end) {
        add(whole.subarray(following.start - range.start), following.end - following.start);
      }
      // Now it is the consumer's, who may send it to a thread.
      yield whole;
    }
    position += chunk.byteLength;
    if (next === ranges.length) return;
  }
  if (next < ranges.length)
    throw new ClipError('NETWORK', `the blob ended ${position} bytes into a requested range`);
}
