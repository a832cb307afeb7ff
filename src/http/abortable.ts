import { setMaxListeners } from 'node:events';

/** A thousand reads may wait under one signal; Node takes more than ten listeners for a leak. */
const patient = new WeakSet<AbortSignal>();

/** The promise, or a rejection with the signal's reason as soon as it aborts; what is behind the promise goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  if (signal.aborted) {
    // Nobody waits for it now, so nobody else would take its failure.
    promise.catch(() => {});
    return Promise.reject(signal.reason);
  }
  if (!patient.has(signal)) {
    patient.add(signal);
    setMaxListeners(0, signal);
  }
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
