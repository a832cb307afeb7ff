import { ClipError, isClipError } from '../errors.js';
import type { Span } from '../format/model.js';
import { layerInfo, type ReadContext } from './context.js';
import { unitOf } from './units.js';

/** Gives a decoded span to the cache, which verifies it; says which span of which layer it was when it does not hold. */
export function deliverSpan(
  context: ReadContext,
  layer: number,
  span: Span,
  value: Uint8Array,
  keepInMemory: boolean,
): void {
  try {
    context.cache.deliver(unitOf(span), value, { keepInMemory });
  } catch (error) {
    if (!isClipError(error, 'DIGEST_MISMATCH')) throw error;
    throw new ClipError(
      'DIGEST_MISMATCH',
      `span ${span.index} of layer ${layerInfo(context, layer).digest} is not what the index says`,
      {
        hint: 'the index may belong to another image: build it again, or check it with clip verify',
        cause: error,
      },
    );
  }
}

/** Whether what one decoder run yields goes to memory too: if that leaves half of the tier to others, or if nothing else can hold it. */
export function keepsInMemory(context: ReadContext, bytes: number): boolean {
  const room = context.cache.room(bytes);
  return room.memory && (!room.lower || context.cache.room(bytes * 2).memory);
}
