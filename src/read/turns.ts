import { now } from '../clock.js';

/**
 * Who may work in which turn of the event loop. A hundred spans that arrive together, or a thousand reads that are planned at once, would
 * block it for as long as all of them take. The loop is the process's own, and so are the queues.
 */
const long: (() => void)[] = [];
const short: (() => void)[] = [];

/** Milliseconds that short work may take in one turn, all who do such work together. */
const BREATH = 5;
/** When short work of this turn began. */
let began = Number.NEGATIVE_INFINITY;
/**
 * Who does short work in one turn, at most. What each of them takes shows only when all have done it: after a turn that took too long it
 * are half as many, else more.
 */
let quota = 16;
const LARGEST_QUOTA = 1024;
/** Whether the turn before this one had short work, so that its length tells of it. */
let isWatched = false;

/** For one long piece of work, all in one go: resolves in a turn that nobody else has. It is to be done before anything else is awaited. */
export function turn(): Promise<void> {
  return queue(long);
}

/**
 * For work of many short pieces: undefined while this turn has a breath left, else a promise for a turn that has. A thousand readers who plan
 * their reads at once then do it over some turns, with whatever else waits for the loop in between.
 */
export function breath(): Promise<void> | undefined {
  return now() - began < BREATH ? undefined : queue(short);
}

function queue(waiting: (() => void)[]): Promise<void> {
  return new Promise((resolve) => {
    if (!isAwaited()) setImmediate(serve);
    waiting.push(resolve);
  });
}

function isAwaited(): boolean {
  return long.length + short.length > 0;
}

function serve(): void {
  const started = now();
  if (isWatched) quota = adapted(started - began);
  // One of the long for each lot of the short.
  const isLong = long.length > 0 && (isWatched || short.length === 0);
  if (isLong) long.shift()?.();
  else for (const go of short.splice(0, quota)) go();
  began = isLong ? Number.NEGATIVE_INFINITY : started;
  isWatched = isAwaited() && !isLong;
  if (isAwaited()) setImmediate(serve);
}

function adapted(milliseconds: number): number {
  if (milliseconds > 2 * BREATH) return Math.max(quota >> 1, 1);
  return milliseconds < BREATH ? Math.min(quota * 2, LARGEST_QUOTA) : quota;
}

/** What comes, with room in between for signals and whatever else waits for the loop. */
export async function* inTurns<T>(
  items: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  for await (const item of items) {
    const pause = breath();
    if (pause) await pause;
    signal?.throwIfAborted();
    yield item;
  }
}
