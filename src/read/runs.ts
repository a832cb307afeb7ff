import type { TieredCache } from '../cache/tiered.js';
import type { Span } from '../format/model.js';
import { abortable } from '../http/abortable.js';
import type { SpanUnit } from './units.js';

/** One decoder run over many spans, shared by all who need any of them. It goes on when who began it has got what it wanted. */
interface Run {
  readonly done: Promise<void>;
  /** All spans up to this number went to the cache. */
  passed: number;
}

export interface RunHandle {
  /** Aborts when the reader is closed in a hurry. */
  readonly signal: AbortSignal;
  pass(span: Span): void;
}

export interface Runs {
  /** The run under this key, begun if there is none. */
  join(key: string, start: (run: RunHandle) => Promise<void>): { run: Run; started: boolean };
  /** Ends with the last run; `abort` stops them first. */
  close(abort: boolean): Promise<void>;
}

export function createRuns(): Runs {
  const runs = new Map<string, Run>();
  const controller = new AbortController();
  return {
    join(key, start) {
      const known = runs.get(key);
      if (known) return { run: known, started: false };
      const handle: RunHandle = {
        signal: controller.signal,
        pass(span) {
          run.passed = span.index;
        },
      };
      const run: Run = {
        passed: -1,
        done: Promise.resolve()
          .then(() => start(handle))
          .finally(() => runs.delete(key)),
      };
      // Who began it may be gone by the time it fails.
      run.done.catch(() => {});
      runs.set(key, run);
      return { run, started: true };
    },
    async close(abort) {
      if (abort) controller.abort();
      await Promise.allSettled([...runs.values()].map((run) => run.done));
    },
  };
}

export interface JoinOptions {
  key: string;
  /** What is needed of the run. */
  units: readonly SpanUnit[];
  signal: AbortSignal;
  start: (run: RunHandle) => Promise<void>;
  /** Told for each run that this call had to begin. */
  onStart?: () => void;
}

/**
 * Waits until the units have been delivered by a run that is under way, or else by one begun here. What a run in progress had passed
 * already is in a tier, unless it was evicted since: then it takes another run.
 */
export async function joinRun(
  context: { runs: Runs; cache: Pick<TieredCache, 'recheck'> },
  options: JoinOptions,
): Promise<void> {
  let left = options.units;
  for (;;) {
    const { run, started } = context.runs.join(options.key, options.start);
    if (started) options.onStart?.();
    const first = left[0]?.span.index ?? 0;
    if (!started && run.passed >= first) left = await context.cache.recheck(left);
    if (left.length === 0) return;
    await abortable(run.done, options.signal);
    left = await context.cache.recheck(left);
    if (left.length === 0 || started) return;
  }
}
