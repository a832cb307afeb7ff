import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../clock.js';
import type { Claims } from './claims.js';

/** What a process claims before it fetches a unit: the unit itself, or all that the same decoder run yields. */
export interface Claim {
  /** 64 hex digits, optionally followed by `-` and a decimal number. */
  readonly name: string;
  /** How much the holder has to decode at most, bytes: how long others wait for it follows from this. */
  readonly bytes: number;
}

export interface FetchOnceOptions<U> {
  claims: Claims;
  claimOf(unit: U): Claim;
  /** Whether the shared tier seems to have it; cheap. */
  contains(unit: U): boolean;
  /** Takes it from the tiers: true when it was there and held. */
  find(unit: U): Promise<boolean>;
  /** Fetches from the origin what this process has claimed. */
  origin(units: readonly U[]): Promise<void>;
  /** Told how many units others are fetching, before they are waited for. */
  onWait?(units: number): void;
  /** Told when a wait for another process is over. `taken`: the other one left it undone; `late`: it took too long. */
  onWaited?(unit: U, how: 'answered' | 'taken' | 'late', seconds: number): void;
  signal: AbortSignal;
}

/** Milliseconds between looks: short at first, since most spans take 2 to 20; then up to 40, or a 20th of the wait, but a second. */
const FIRST_LOOK = 2;
const pauseAfter = (pause: number, waited: number) => Math.min(pause * 1.5, Math.max(40, waited / 20), 1000);

/** How long others wait at most, milliseconds: an origin at 1 MiB/s, after it has had time to answer. */
function patience(bytes: number): number {
  return 10_000 + (bytes / (1 << 20)) * 1000;
}

/**
 * Single flight between processes: what another one is fetching is waited for, the rest is claimed and fetched here, both at the
 * same time, so that two processes that want each other's units never wait in a circle. Throws what `origin` throws, and the
 * signal's reason.
 */
export async function fetchOnce<U>(units: readonly U[], options: FetchOnceOptions<U>): Promise<void> {
  const { claims, claimOf, signal } = options;
  const jobs: Promise<void>[] = [];
  let failed: { error: unknown } | undefined;
  const mine: U[] = [];
  let others: U[] = [];
  for (const unit of units) (claims.take(claimOf(unit).name) ? mine : others).push(unit);

  function begin(job: Promise<void>): void {
    jobs.push(
      job.catch((error: unknown) => {
        failed ??= { error };
      }),
    );
  }

  /** The claim of each is held. Between the look into the tiers and the claim another process may have put it there. */
  async function fetch(claimed: readonly U[]): Promise<void> {
    try {
      const missing: U[] = [];
      for (const unit of claimed) {
        if (!options.contains(unit) || !(await options.find(unit))) missing.push(unit);
      }
      if (missing.length > 0) await options.origin(missing);
    } finally {
      for (const unit of claimed) claims.release(claimOf(unit).name);
    }
  }

  if (mine.length > 0) begin(fetch(mine));
  const began = now();
  let pause = FIRST_LOOK;
  if (others.length > 0) options.onWait?.(others.length);
  try {
    while (others.length > 0 && failed === undefined) {
      await sleep(pause, undefined, { signal });
      const still: U[] = [];
      const taken: U[] = [];
      const late: U[] = [];
      const waited = now() - began;
      pause = pauseAfter(pause, waited);
      for (const unit of others) {
        const { name, bytes } = claimOf(unit);
        let how: 'answered' | 'taken' | 'late';
        if (options.contains(unit) && (await options.find(unit))) how = 'answered';
        else if (claims.take(name)) how = 'taken';
        else if (waited > patience(bytes)) how = 'late';
        else {
          still.push(unit);
          continue;
        }
        if (how === 'taken') taken.push(unit);
        if (how === 'late') late.push(unit);
        options.onWaited?.(unit, how, waited / 1000);
      }
      others = still;
      if (taken.length > 0) begin(fetch(taken));
      if (late.length > 0) begin(options.origin(late));
    }
  } catch (error) {
    failed ??= { error };
  } finally {
    for (const unit of units) claims.forget(claimOf(unit).name);
  }
  await Promise.all(jobs);
  if (failed) throw failed.error;
}
