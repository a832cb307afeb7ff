/** When and how long to wait before trying again (exponential backoff with jitter; RFC 9110 § 10.2.3 Retry-After). */

import { abortError } from './errors.js';

const FIRST_DELAY = 250;
const MAX_DELAY = 8000;
/** A server that asks for a longer pause than this is not waited for: the user learns how long it wants. */
export const MAX_RETRY_AFTER = 30_000;

/** Statuses that say "later", not "no". */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || status === 500 || (status >= 502 && status <= 504);
}

/** Milliseconds before attempt `attempt + 1` (attempts count from 1): half fixed, half random, so that many do not come at once. */
export function backoff(attempt: number, first = FIRST_DELAY): number {
  const full = Math.min(MAX_DELAY, first * 2 ** (attempt - 1));
  return full / 2 + Math.random() * (full / 2);
}

/** Milliseconds that a Retry-After header asks for: seconds or an HTTP date; undefined if missing or neither. */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^[0-9]+$/.test(text)) return Number(text) * 1000;
  const date = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Waits `delay` milliseconds or until the signal aborts, then throws INTERRUPTED. */
export async function pause(delay: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) throw abortError(signal);
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(abortError(signal!));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delay);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
