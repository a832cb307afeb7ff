/**
 * A process of its own with a disk tier: `node flight-worker.js <cacheDir> <log> <millisecondsPerUnit> <unit>…`. Loads values
 * that are made from their numbers, from an origin that takes its time, and writes `start <unit> <pid>` to the log for each that
 * it fetches; prints its outcomes as JSON.
 */
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createDiskTier } from '../../src/cache/disk.js';
import { createMemoryTier } from '../../src/cache/memory.js';
import { createTieredCache, type Unit } from '../../src/cache/tiered.js';
import { recorder } from './fake-image.js';

export interface NumberedUnit extends Unit {
  readonly number: number;
}

/** 100,000 bytes that only this number has. */
export function bytesOf(number: number): Uint8Array {
  return new Uint8Array(100_000).map((_, i) => (i * 31 + number * 7 + (i >> 8)) & 255);
}

export function numberedUnit(number: number): NumberedUnit {
  const value = bytesOf(number);
  return { number, key: createHash('sha256').update(value).digest('hex'), length: value.byteLength };
}

async function main([cacheDir = '', log = '', delay = '0', ...numbers]: string[]): Promise<void> {
  const observer = recorder();
  const cache = createTieredCache({
    memory: createMemoryTier(1 << 24),
    lower: [createDiskTier({ cacheDir, quota: 1 << 30, observer })],
    observer,
  });
  const outcomes: Record<string, number> = {};
  const units = numbers.map((number) => numberedUnit(Number(number)));
  const batch = cache.load(units, {
    onOutcome: (_unit, outcome) => {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    },
    origin: async (missing) => {
      for (const unit of missing) {
        appendFileSync(log, `start ${unit.number} ${process.pid}\n`);
        await sleep(Number(delay));
        cache.deliver(unit, bytesOf(unit.number));
      }
    },
  });
  for (const i of units.keys()) await batch.take(i);
  batch.release();
  await cache.close();
  process.stdout.write(JSON.stringify({ outcomes, corrupt: observer.count('corrupt') }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
