import { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { check } from './corrupt.js';
import { MAX_BLOCK_HEADER, MAX_WINDOW } from './limits.js';
import type { SpanContext } from './model.js';

/**
 * What a span needs besides its compressed bytes, as one record of the stream `windows`. Most bytes of a window are zero, since
 * no back-reference reaches them; the others are kept as runs: skip so many zeros, take so many bytes.
 */

/** A gap of fewer zeros than this stays in its run: telling it would cost more than keeping it. */
const SHORTEST_GAP = 3;

/** Appends the record; the same context always gives the same bytes. */
export function writeContext(out: ByteWriter, { window, header }: SpanContext): void {
  check(window.length <= MAX_WINDOW, `window of ${window.length} bytes`);
  check(!header || header.bytes.length <= MAX_BLOCK_HEADER, 'block header is too long');
  const runs = findRuns(window);
  out.varint(window.length);
  out.varint(runs.length / 2);
  let end = 0;
  for (let i = 0; i < runs.length; i += 2) {
    out.varint(runs[i]! - end);
    end = runs[i + 1]!;
    out.varint(end - runs[i]!);
  }
  for (let i = 0; i < runs.length; i += 2) out.bytes(window.subarray(runs[i], runs[i + 1]));
  out.varint(header ? header.bytes.length : 0);
  if (!header) return;
  check(header.bytes.length > 0 && header.bit >= 0 && header.bit <= 7, 'block header is empty');
  out.u8(header.bit);
  out.bytes(header.bytes);
}

/** Start and end of each run, alternating. */
function findRuns(window: Uint8Array): number[] {
  const runs: number[] = [];
  let end = Number.NEGATIVE_INFINITY;
  // Most of a window is zero, and is passed over in words.
  const isAligned = window.byteOffset % 4 === 0;
  const bytes = isAligned ? window : Uint8Array.from(window);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  for (let i = 0; i < bytes.length; i++) {
    if ((i & 3) === 0) {
      while (words[i >>> 2] === 0) i += 4;
      if (i >= bytes.length) break;
    }
    if (bytes[i] === 0) continue;
    if (i - end >= SHORTEST_GAP) runs.push(i, i + 1);
    else runs[runs.length - 1] = i + 1;
    end = i + 1;
  }
  return runs;
}

/** Decodes a record; it must be used up. */
export function readContext(record: Uint8Array, where: string): SpanContext {
  const reader = new ByteReader(record, where);
  const windowLength = reader.upTo(MAX_WINDOW, 'length of the window');
  const runCount = reader.count(3, 'number of runs');
  const runs: [start: number, length: number][] = [];
  let end = 0;
  for (let i = 0; i < runCount; i++) {
    const start = end + reader.varint();
    const length = reader.varint();
    end = start + length;
    if (length === 0 || end > windowLength) reader.fail('a run lies outside the window');
    runs.push([start, length]);
  }
  const window = new Uint8Array(windowLength);
  for (const [start, length] of runs) window.set(reader.take(length), start);
  const headerLength = reader.upTo(MAX_BLOCK_HEADER, 'length of the block header');
  let header: SpanContext['header'];
  if (headerLength > 0) {
    const bit = reader.u8();
    if (bit > 7) reader.fail(`block header at bit ${bit}`);
    header = { bit, bytes: Uint8Array.from(reader.take(headerLength)) };
  }
  reader.done();
  return { window, header };
}
