import { abortable } from '../http/abortable.js';
import { extentsOf } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import type { ReadContext } from './context.js';
import type { StreamOptions } from './stream.js';
import { breath } from './turns.js';
import { unitOf } from './units.js';

/**
 * The bytes of a range that lies in one span, as most reads of small files do, without the generators that a range of any size goes
 * through (`streamFile`): a third of the time, and a thousand readers at once leave less to the collector. A view that must not be
 * changed. Undefined, and nothing is counted, where the range is empty, has holes, or is in more spans than one.
 */
export async function readOneSpan(
  context: ReadContext,
  node: Node,
  { range, plan, keepInMemory, signal }: StreamOptions,
): Promise<Uint8Array | undefined> {
  const { offset, length } = range;
  const extents = extentsOf(node.entry);
  const extent = extents.length === 1 ? extents.at(0) : undefined;
  if (length === 0 || !extent || offset < extent.logical) return undefined;
  if (offset + length > extent.logical + extent.length) return undefined;
  const pause = breath();
  if (pause) await pause;
  signal?.throwIfAborted();
  const at = extent.offset + (offset - extent.logical);
  const [span] = await context.index.spans(node.layer, at, 1);
  if (!span || at < span.offset || at + length > span.offset + span.length) return undefined;
  const { origin, lookups } = plan;
  const batch = context.cache.load([unitOf(span)], { origin, onOutcome: lookups.note, keepInMemory });
  try {
    const taken = batch.take(0);
    const value = taken instanceof Uint8Array ? taken : await abortable(taken, signal);
    return value.subarray(at - span.offset, at - span.offset + length);
  } finally {
    batch.release();
  }
}
