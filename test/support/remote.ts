import { createHash } from 'node:crypto';
import { after } from 'node:test';
import { openRemoteTier } from '../../src/cache/remote/open-remote.js';
import type { CacheTier } from '../../src/cache/tier.js';
import { createTieredCache, type TieredCache, type Unit } from '../../src/cache/tiered.js';
import type { ClipEvent } from '../../src/observer.js';
import { noise, recorder } from './fake-image.js';

export const connection = {
  plainHttp: false,
  insecure: false,
  connectTimeout: 1000,
  headersTimeout: 1000,
  idleTimeout: 1000,
  tries: 3,
};

/** A test that fails leaves connections open, which would keep the process alive. */
const opened: TieredCache[] = [];
after(() => Promise.all(opened.map((cache) => cache.close())));

export interface Values {
  units: Unit[];
  bytesOf(unit: Unit): Uint8Array;
}

/** Values that do not compress, with their keys. */
export function makeValues(count: number, length: number): Values {
  const byKey = new Map<string, Uint8Array>();
  const units = Array.from({ length: count }, (_, i): Unit => {
    const value = new Uint8Array(noise(length, i + 1));
    const key = createHash('sha256').update(value).digest('hex');
    byKey.set(key, value);
    return { key, length };
  });
  return { units, bytesOf: ({ key }) => byKey.get(key) ?? new Uint8Array() };
}

export interface RemoteOptions {
  env?: NodeJS.ProcessEnv;
  timeout?: number;
}

/** A remote tier with what it told. */
export function remoteTier(
  url: string,
  { env = {}, timeout = 2000 }: RemoteOptions = {},
): { tier: CacheTier; events: ClipEvent[] } {
  const observer = recorder();
  const tier = openRemoteTier(url, { timeout, ttl: 60, connection, observer, env });
  return { tier, events: observer.events };
}

/** A worker with the remote tier alone: reads units, from an origin where need be, and counts who answered. */
export function worker(
  url: string,
  values: Values,
  options: RemoteOptions = {},
): {
  cache: TieredCache;
  events: ClipEvent[];
  outcomes: Record<string, number>;
  /** Milliseconds that it took. */
  read(units: readonly Unit[]): Promise<number>;
} {
  const { tier, events } = remoteTier(url, options);
  const cache = createTieredCache({
    lower: [tier],
    observer: { emit: (event) => void events.push(event) },
  });
  opened.push(cache);
  const outcomes: Record<string, number> = {};
  return {
    cache,
    events,
    outcomes,
    async read(units) {
      const began = performance.now();
      const batch = cache.load(units, {
        onOutcome: (_unit, outcome) => {
          outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        },
        origin: async (missing) => {
          for (const unit of missing) cache.deliver(unit, values.bytesOf(unit));
        },
      });
      for (const [i, unit] of units.entries()) {
        const value = await batch.take(i);
        if (Buffer.compare(value, values.bytesOf(unit)) !== 0) throw new Error('wrong bytes');
      }
      batch.release();
      return performance.now() - began;
    },
  };
}

export function countOf(events: readonly ClipEvent[], type: ClipEvent['type'], outcome?: string): number {
  return events.filter(
    (event) =>
      event.type === type && (outcome === undefined || ('outcome' in event && event.outcome === outcome)),
  ).length;
}
