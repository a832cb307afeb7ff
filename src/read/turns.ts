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
