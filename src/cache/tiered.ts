import { hash } from 'node:crypto';
import { ClipError } from '../errors.js';
import { inParallel } from '../in-parallel.js';
import { type Observer, silentObserver, type Tier } from '../observer.js';
import { type Batch, batchOf } from './batch.js';
import { createFlightTable, type Flight, type Load } from './flight.js';
import type { MemoryTier } from './memory.js';
import { type Claim, fetchOnce } from './single-flight.js';
import type { CacheTier } from './tier.js';

/** What is loaded as one: a span, named by the SHA-256 of its bytes. */
export interface Unit {
  readonly key: string;
  /** Bytes. */
  readonly length: number;
}

export type Outcome = Tier | 'miss';

/**
 * Fetches units that no tier has and gives each to `cache.deliver`, in any order. What it leaves undelivered fails. It stops when
 * `signal` aborts, which happens when no reader waits any more.
 */
export interface Origin<U extends Unit> {
  (missing: readonly U[], signal: AbortSignal): Promise<void>;
  /** What other processes must not do while this one fetches the unit; without it, the same unit. */
  claimOf?: (unit: U) => Claim;
}

export interface LoadOptions<U extends Unit> {
  origin: Origin<U>;
  /** Told once per unit, as soon as it is known who answers. `coalesced`: it waits for a load that another began. */
  onOutcome?: (unit: U, outcome: Outcome, coalesced: boolean) => void;
  /** False: the value passes by the memory tier (a large file must not flush it). Default true. */
  keepInMemory?: boolean;
}

export interface DeliverOptions {
  keepInMemory?: boolean;
  /** The value's SHA-256 (64 lower-case hex digits), if whoever made the value has computed it over these very bytes; it is not then
   * computed again, only compared. */
  digest?: string;
}

export interface TieredCache {
  readonly memory: MemoryTier | undefined;
  /** The value if it is in memory: the fast path, no promise and no copy. */
  peek(key: string, length: number): Uint8Array | undefined;
  /** Whether a tier says that it has it, or it is being loaded; nothing is read. */
  contains(unit: Unit): boolean;
  /** Starts loading what is not in memory, from the tiers below or the origin; each key once however many ask. */
  load<U extends Unit>(units: readonly U[], options: LoadOptions<U>): Batch;
  /**
   * A fresh value from the origin: verified, put into the tiers, handed to who waits for it. Throws ClipError DIGEST_MISMATCH
   * when the bytes are not the key's. The value must not be changed afterwards, but by the one reader that owns it.
   */
  deliver(unit: Unit, value: Uint8Array, options?: DeliverOptions): void;
  /** Looks again for units that are being loaded and lands what a tier has by now; returns those that are nowhere. */
  recheck<U extends Unit>(units: readonly U[]): Promise<U[]>;
  /** Keeps a claim that this process has for longer than the load that took it; returns how to let go of it. */
  retain(claim: Claim): () => void;
  /** Waits until the tiers take writes without dropping any: for work ahead of any demand. */
  ready(): Promise<void>;
  /** Whether some tier below memory still takes what is loaded; true where there is none. */
  takes(): boolean;
  /** Where that many bytes could be held at once. */
  room(bytes: number): { memory: boolean; lower: boolean };
  /** Waits for writes under way and closes the tiers. */
  close(): Promise<void>;
}

/** Lookups under way at once in tiers that answer late. */
const LOOKUPS = 16;

/** Bytes that are read and verified in one go before other work gets its turn: some 10 ms. */
const BYTES_PER_TURN = 8 << 20;

export interface TieredCacheOptions {
  memory?: MemoryTier | undefined;
  /** Below memory, fastest first: disk, remote. */
  lower?: readonly CacheTier[];
  observer?: Observer;
}

/**
 * Memory → lower tiers → origin, filled on the way back. Every value from below memory and every fresh one is held against its
 * digest; one that does not hold is dropped, told as `corrupt`, and fetched from below. What no tier has is fetched once by all
 * processes that share the disk tier (single-flight.ts).
 */
export function createTieredCache(options: TieredCacheOptions): TieredCache {
  const { memory, lower = [], observer = silentObserver } = options;
  const flights = createFlightTable();
  const writes = new Set<Promise<void>>();
  const shared = lower.find((tier) => tier.claims !== undefined);
  const late = lower.some((tier) => tier.name === 'remote');
  const holding = lower.some((tier) => tier.holdsValues);
  let sinceTurn = 0;

  function put(tier: CacheTier, key: string, value: Uint8Array): void {
    const writing = tier.put(key, value);
    if (writing === undefined) return;
    const settled = writing
      .catch((error: unknown) => {
        observer.emit({ type: 'debug', message: `put into ${tier.name} failed: ${String(error)}` });
      })
      .finally(() => writes.delete(settled));
    writes.add(settled);
  }

  /** Looks through the lower tiers; fills those above the one that had it. */
  async function find(unit: Unit): Promise<{ value: Uint8Array; tier: Tier } | undefined> {
    if (sinceTurn > BYTES_PER_TURN) {
      sinceTurn = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const [i, tier] of lower.entries()) {
      const answer = tier.get(unit.key, unit.length);
      const value = answer instanceof Promise ? await answer.catch(() => undefined) : answer;
      if (value === undefined) continue;
      sinceTurn += value.byteLength;
      if (value.byteLength === unit.length && holds(unit.key, value)) {
        for (const above of lower.slice(0, i)) put(above, unit.key, value);
        return { value, tier: tier.name };
      }
      observer.emit({ type: 'corrupt', tier: tier.name, key: unit.key });
      const dropping = tier.drop(unit.key);
      if (dropping !== undefined) await dropping.catch(() => {});
    }
    return undefined;
  }

  /** Looks for a unit that is in flight and lands it; tells who answered. */
  async function findAndLand<U extends Unit>(unit: U, how: LoadOptions<U>): Promise<boolean> {
    const found = await find(unit);
    if (found === undefined) return false;
    how.onOutcome?.(unit, found.tier, false);
    land(unit, found.value, false);
    return true;
  }

  /** Hands a value to who waits for it, and to the memory tier where they want that. */
  function land({ key, length }: Unit, value: Uint8Array, keepInMemory: boolean): void {
    const flight = flights.get(key, length);
    const keep = memory !== undefined && (keepInMemory || flight?.keepInMemory === true);
    if (keep) memory.put(key, value);
    if (flight) flight.shared ||= keep || holding;
    flights.land(key, value);
  }

  async function fetch<U extends Unit>(wanted: U[], load: Load, how: LoadOptions<U>): Promise<void> {
    const { signal } = load.controller;
    const absent = new Set<U>();
    await inParallel(wanted, late ? LOOKUPS : 1, async (unit) => {
      if (!(await findAndLand(unit, how))) absent.add(unit);
    });
    const missing = wanted.filter((unit) => absent.has(unit));
    if (missing.length === 0) return;
    const fromOrigin = (units: readonly U[]) => {
      for (const unit of units) how.onOutcome?.(unit, 'miss', false);
      return how.origin(units, signal);
    };
    const claimOf = how.origin.claimOf ?? claimOfUnit;
    const { claims } = shared ?? {};
    if (!claims || !missing.every((unit) => shared?.canHold(claimOf(unit).bytes))) {
      return fromOrigin(missing);
    }
    await fetchOnce(missing, {
      claims,
      claimOf,
      contains: (unit) => shared?.contains?.(unit.key, unit.length) === true,
      find: (unit) => findAndLand(unit, how),
      origin: fromOrigin,
      onWaited: (unit, outcome, seconds) =>
        observer.emit({ type: 'waited', key: unit.key, how: outcome, seconds }),
      signal,
    });
  }

  function start<U extends Unit>(owned: U[], load: Load, how: LoadOptions<U>): void {
    fetch(owned, load, how)
      .then(() => new ClipError('FAILED', 'a span was not delivered'))
      .catch((error: unknown) => error)
      .then((error) => {
        for (const flight of [...load.flights]) flights.fail(flight, error);
      });
  }

  function begin<U extends Unit>(units: readonly U[], how: LoadOptions<U>): Batch {
    const keep = how.keepInMemory ?? true;
    const load: Load = { controller: new AbortController(), flights: new Set(), keys: 0 };
    const slots: (Uint8Array | Flight)[] = [];
    const owned: U[] = [];
    for (const unit of units) {
      const value = memory?.get(unit.key, unit.length);
      if (value) {
        how.onOutcome?.(unit, 'memory', false);
        slots.push(value);
        continue;
      }
      let flight = flights.get(unit.key, unit.length);
      if (flight) {
        flight.shared = true;
        how.onOutcome?.(unit, 'memory', true);
      } else {
        flight = flights.start(unit.key, unit.length, load);
        owned.push(unit);
      }
      flight.interest++;
      flight.keepInMemory ||= keep;
      slots.push(flight);
    }
    load.keys = owned.length;
    if (owned.length > 0) start(owned, load, how);
    return batchOf(slots, {
      load,
      leave: flights.leave,
      // Who answers was told when the first load was joined.
      again: (i) => begin([units[i] as U], { ...how, onOutcome: () => {} }),
    });
  }

  return {
    memory,
    peek(key, length) {
      return memory?.get(key, length);
    },
    contains(unit) {
      return (
        flights.get(unit.key, unit.length) !== undefined ||
        memory?.contains(unit.key, unit.length) === true ||
        lower.some((tier) => tier.contains?.(unit.key, unit.length) === true)
      );
    },
    load: begin,
    deliver(unit, value, how = {}) {
      const isWhole = value.byteLength === unit.length;
      if (!isWhole || (how.digest === undefined ? !holds(unit.key, value) : how.digest !== unit.key)) {
        throw new ClipError('DIGEST_MISMATCH', `expected bytes with SHA-256 ${unit.key}`);
      }
      for (const tier of lower) put(tier, unit.key, value);
      land(unit, value, how.keepInMemory === true);
    },
    async recheck(units) {
      const left: (typeof units)[number][] = [];
      for (const unit of units) {
        const flight = flights.get(unit.key, unit.length);
        if (flight === undefined) continue;
        const kept = memory?.get(unit.key, unit.length);
        const value = kept ?? (await find(unit))?.value;
        if (!value) {
          left.push(unit);
          continue;
        }
        flight.shared ||= kept !== undefined;
        land(unit, value, false);
      }
      return left;
    },
    retain({ name }) {
      if (!shared?.claims?.take(name)) return () => {};
      return () => shared.claims?.release(name);
    },
    takes: () => lower.length === 0 || lower.some((tier) => tier.takes?.() ?? true),
    async ready() {
      for (const tier of lower) await tier.ready?.();
    },
    room(bytes) {
      return {
        memory: memory?.canHold(bytes) === true,
        lower: lower.some((tier) => tier.canHold(bytes)),
      };
    },
    async close() {
      while (writes.size > 0) await Promise.all(writes);
      await memory?.close();
      for (const tier of lower) await tier.close();
    },
  };
}

function claimOfUnit({ key, length }: Unit): Claim {
  return { name: key, bytes: length };
}

function holds(key: string, value: Uint8Array): boolean {
  return hash('sha256', value, 'hex') === key;
}
