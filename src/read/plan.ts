import { ClipError } from '../errors.js';
import { escapeName } from '../escape.js';
import type { ImageIndex } from '../format/image-index.js';
import type { Span } from '../format/model.js';
import { extentsOf } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import { breath } from './turns.js';

/** A run of a file's bytes, in order: so many zeros of a hole, or bytes [start, end) of a span. */
export type Piece = { zeros: number } | { span: Span; start: number; end: number };

/** A run of a file's bytes: at `offset` of the layer's tar stream, or a hole. */
export interface Segment {
  offset: number | undefined;
  length: number;
}

/** The spans of a plan are asked of the index for at most this many bytes at once, so that a file of any size is planned in little memory. */
const STEP = 32 << 20;
/** And for so many, where they are short: an index that somebody made may have a million of a byte each. */
export const SPANS_AT_ONCE = 4096;

/** Checks that a node is a file that can be read, and clips a range to its size. Throws IS_DIRECTORY or NOT_A_FILE. */
export function clipRange(
  node: Node,
  offset: number,
  length: number,
  printablePath: () => string,
): { offset: number; length: number } {
  const { type, size } = node.entry;
  if (type === 'directory') {
    throw new ClipError('IS_DIRECTORY', `${printablePath()} is a directory`, {
      hint: 'list it with clip ls',
    });
  }
  if (type === 'hardlink') {
    const target = `/${escapeName(node.entry.link)}`;
    throw new ClipError(
      'NOT_A_FILE',
      `${printablePath()} is a hard link to ${target}, which the image does not have when it is made`,
      { hint: 'no unpacker can make this name: the image is broken, rebuild it' },
    );
  }
  if (type !== 'file') {
    throw new ClipError('NOT_A_FILE', `${printablePath()} is a ${type}, not a regular file`);
  }
  if (!(offset >= 0) || !(length >= 0)) throw new RangeError(`offset ${offset}, length ${length}`);
  const start = Math.min(offset, size);
  return { offset: start, length: Math.min(length, size - start) };
}

/** Cuts [offset, offset + length) of a file into data and holes. */
export function* segmentsOf(node: Node, offset: number, length: number): Generator<Segment> {
  let at = offset;
  const end = offset + length;
  for (const extent of extentsOf(node.entry)) {
    const extentEnd = extent.logical + extent.length;
    if (extentEnd <= at) continue;
    if (extent.logical >= end) break;
    if (extent.logical > at) {
      yield { offset: undefined, length: extent.logical - at };
      at = extent.logical;
    }
    const stop = Math.min(extentEnd, end);
    yield { offset: extent.offset + (at - extent.logical), length: stop - at };
    at = stop;
  }
  if (at < end) yield { offset: undefined, length: end - at };
}

/**
 * What [offset, offset + length) of a file is made of, in order; the range must lie within the file. Spans are looked up in
 * steps as the plan is consumed. Throws CORRUPT_INDEX where the spans do not cover the file.
 */
export async function* planPieces(
  index: ImageIndex,
  node: Node,
  range: { offset: number; length: number },
): AsyncGenerator<Piece> {
  let spans: readonly Span[] = [];
  for (const segment of segmentsOf(node, range.offset, range.length)) {
    if (segment.offset === undefined) {
      yield { zeros: segment.length };
      continue;
    }
    let at = segment.offset;
    const end = at + segment.length;
    while (at < end) {
      let found = spans.findIndex((span) => at >= span.offset && at < span.offset + span.length);
      if (found < 0) {
        spans = await index.spans(node.layer, at, Math.min(end - at, STEP), SPANS_AT_ONCE);
        found = 0;
        // All who waited for the same block of the index go on at once.
        const pause = breath();
        if (pause) await pause;
      }
      const span = spans[found];
      if (!span || at < span.offset || at >= span.offset + span.length)
        throw uncovered(index, node.layer, at);
      const stop = Math.min(end, span.offset + span.length);
      yield { span, start: at - span.offset, end: stop - span.offset };
      at = stop;
    }
  }
}

export function uncovered(index: ImageIndex, layer: number, offset: number): ClipError {
  const digest = index.layers[layer]?.digest ?? `number ${layer}`;
  return new ClipError('CORRUPT_INDEX', `no span of layer ${digest} holds its byte ${offset}`);
}

const ZEROS = new Uint8Array(64 * 1024);

/** A hole's bytes, in chunks that share one buffer. */
export function* zeros(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= ZEROS.byteLength) {
    yield left >= ZEROS.byteLength ? ZEROS : ZEROS.subarray(0, left);
  }
}
