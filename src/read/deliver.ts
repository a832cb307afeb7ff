import { ClipError, isClipError } from '../errors.js';
import type { Span } from '../format/model.js';
import { layerInfo, type ReadContext } from './context.js';
import { unitOf } from './units.js';

export interface Delivery {
  span: Span;
  value: Uint8Array;
  /** Also without a reader who wants it there. */
  keepInMemory?: boolean;
  /** SHA-256 of `value` where it is known already. */
  digest?: string;
}

/** Gives a decoded span to the cache, which verifies it; says which span of which layer it was when it does not hold. */
export function deliverSpan(context: ReadContext, layer: number, { span, value, ...how }: Delivery): void {
  try {
    context.cache.deliver(unitOf(span), value, how);
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
