import { now } from '../clock.js';

/**
 * Long synchronous work takes turns, one piece for each turn of the event loop: a hundred spans that arrive together would
 * otherwise block it for as long as all of them take. The loop is the process's own, and so is the queue.
 */
let last: Promise<void> = Promise.resolve();

/** Resolves when it is the caller's turn; the work is to be done before anything else is awaited. */
export function turn(): Promise<void> {
  last = last.then(
    () =>
      new Promise((resolve) => {
        setImmediate(resolve);
      }),
  );
  return last;
}

/** Milliseconds that short work may take in one turn of the event loop, all who do such work together. */
const BREATH = 5;
let breathed = 0;
let next: Promise<void> | undefined;

/**
 * For work of many short pieces: undefined while the loop has a breath left, else a promise for a turn that has. A thousand readers who plan
 * their reads at once then do it over some turns, with whatever else waits for the loop in between.
 */
export function breath(): Promise<void> | undefined {
  return isOut() ? nextBreath() : undefined;
}

async function nextBreath(): Promise<void> {
  while (isOut()) {
    next ??= new Promise((resolve) => {
      setImmediate(() => {
        next = undefined;
        breathed = now();
        resolve();
      });
    });
    await next;
  }
}

function isOut(): boolean {
  return now() - breathed >= BREATH;
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
