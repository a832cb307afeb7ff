import { ClipError } from '../errors.js';

/**
 * Cuts a stream into ranges as it passes. `ranges` ascend by their beginning; neighbours may overlap (two spans share the byte that a
 * checkpoint splits). Positions are relative to the stream's first byte. Each result has a buffer of its own, which grows with
 * what has arrived, not with what was announced.
 */
export async function* cutRanges(
  chunks: AsyncIterable<Uint8Array>,
  ranges: readonly { start: number; end: number }[],
): AsyncGenerator<Uint8Array> {
  let next = 0;
  /** Bytes of the current range so far, and where in the stream they end. */
  let parts: Uint8Array[] = [];
  let position = 0;
  for await (const chunk of chunks) {
    let used = 0;
    while (next < ranges.length) {
      const range = ranges[next] as { start: number; end: number };
      const from = Math.max(used, range.start - position);
      if (from >= chunk.byteLength) break;
      const to = Math.min(chunk.byteLength, range.end - position);
      // The source may use the chunk's memory again.
      parts.push(new Uint8Array(chunk.subarray(from, to)));
      used = to;
      if (position + to < range.end) break;
      const whole = join(parts);
      next++;
      const following = ranges[next];
      parts = following && following.start < range.end ? [whole.slice(following.start - range.start)] : [];
      // Now it is the consumer's, who may send it to a thread.
      yield whole;
    }
    position += chunk.byteLength;
    if (next === ranges.length) return;
  }
  if (next < ranges.length)
    throw new ClipError('NETWORK', `the blob ended ${position} bytes into a requested range`);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first) return first;
  let length = 0;
  for (const part of parts) length += part.byteLength;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
