/**
 * A circuit breaker: after failures it says no for a while, then lets one attempt through, and goes on if that succeeds. The
 * pause doubles with each failed attempt.
 */
import { now as monotonic } from '../../clock.js';

export interface Breaker {
  /** Whether an attempt may be made now. A true in the open state is the probe, and wants `ok`, `fail` or `cancel`. */
  allows(): boolean;
  ok(): void;
  /** `severe` (a deadline that has passed, which is what costs readers time) opens it at once. True when this opened it. */
  fail(severe: boolean): boolean;
  /** The attempt told nothing. */
  cancel(): void;
  readonly open: boolean;
}

export interface BreakerOptions {
  /** Failures in a row that open it. */
  failures?: number;
  /** Milliseconds. */
  firstPause?: number;
  maxPause?: number;
  now?: () => number;
}

export function createBreaker(options: BreakerOptions = {}): Breaker {
  const { failures = 3, firstPause = 1000, maxPause = 30_000, now = monotonic } = options;
  let failed = 0;
  let pause = firstPause;
  let openUntil: number | undefined;
  let probing = false;

  return {
    get open() {
      return openUntil !== undefined;
    },
    allows() {
      if (openUntil === undefined) return true;
      if (probing || now() < openUntil) return false;
      probing = true;
      return true;
    },
    ok() {
      failed = 0;
      pause = firstPause;
      openUntil = undefined;
      probing = false;
    },
    fail(severe) {
      failed++;
      if (openUntil !== undefined) {
        // Attempts from before it opened fail late; only the probe makes the pause longer.
        if (probing) {
          probing = false;
          pause = Math.min(pause * 2, maxPause);
          openUntil = now() + pause;
        }
        return false;
      }
      if (!severe && failed < failures) return false;
      openUntil = now() + pause;
      return true;
    },
    cancel() {
      probing = false;
    },
  };
}
