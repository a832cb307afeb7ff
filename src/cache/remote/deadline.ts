/** A remote cache did not answer in time. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed';
}

/**
 * Runs `work` for at most `milliseconds`; then its signal aborts and DeadlinePassed is thrown, whether or not it stops. An answer
 * that has arrived while this thread was busy inflating is still taken: the clock may have run out before the socket was looked at.
 */
export function withDeadline<T>(milliseconds: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const expire = () => {
      const error = new DeadlinePassed(`no answer within ${milliseconds} ms`);
      reject(error);
      controller.abort(error);
    };
    // A turn of the event loop looks at the sockets, a second one hands over what their parsers put off.
    const timer = setTimeout(() => setImmediate(() => setImmediate(expire)), milliseconds);
    Promise.resolve()
      .then(() => work(controller.signal))
      .finally(() => clearTimeout(timer))
      .then(resolve, reject);
  });
}
