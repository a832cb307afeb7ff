import type { Batch } from '../cache/batch.js';
import { abortable } from '../http/abortable.js';
import type { Node } from '../tree/node.js';
import type { ReadContext } from './context.js';
import { planPieces, zeros } from './plan.js';
import type { ReadPlan } from './strategy.js';
import { type Window, windowsOf } from './units.js';

export interface StreamOptions {
  /** Within the file. */
  range: { offset: number; length: number };
  plan: ReadPlan;
  keepInMemory: boolean;
  signal: AbortSignal | undefined;
}

interface Flying {
  window: Window;
  batch: Batch;
}

/**
 * A file's bytes in order, in views of the cached spans. One window is read while the next is on its way: memory holds two windows, however
 * large the file. A consumer that stops early stops what is being fetched for it alone.
 */
export async function* streamFile(
  context: ReadContext,
  node: Node,
  options: StreamOptions,
): AsyncGenerator<Uint8Array> {
  const { plan, signal } = options;
  const windows = windowsOf(planPieces(context.index, node, options.range));
  const flying: Flying[] = [];

  async function launch(): Promise<void> {
    const { value: window, done } = await windows.next();
    if (done) return;
    const batch = context.cache.load(window.units, {
      origin: plan.origin,
      onOutcome: plan.lookups.note,
      keepInMemory: options.keepInMemory,
    });
    flying.push({ window, batch });
  }

  try {
    for (;;) {
      signal?.throwIfAborted();
      if (flying.length === 0) await launch();
      const current = flying[0];
      if (!current) return;
      if (!current.batch.settled()) await launch();
      for (const piece of current.window.pieces) {
        if ('zeros' in piece) {
          yield* zeros(piece.zeros);
          continue;
        }
        const taken = current.batch.take(piece.unit);
        const value = taken instanceof Uint8Array ? taken : await abortable(taken, signal);
        yield value.subarray(piece.start, piece.end);
      }
      current.batch.release();
      flying.shift();
    }
  } finally {
    for (const { batch } of flying) batch.release();
  }
}
