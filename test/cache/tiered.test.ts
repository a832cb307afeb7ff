import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createDiskTier } from '../../src/cache/disk.js';
import { entryPath } from '../../src/cache/disk-files.js';
import { createMemoryTier } from '../../src/cache/memory.js';
import type { CacheTier } from '../../src/cache/tier.js';
import { createTieredCache, type Outcome, type TieredCache, type Unit } from '../../src/cache/tiered.js';
import { isClipError } from '../../src/errors.js';
import { noise, recorder, sha256 } from '../support/fake-image.js';
import { temporaryFolder } from '../support/reading.js';

const values = Array.from({ length: 8 }, (_, i) => new Uint8Array(noise(5000 + i, i + 1)));
const units = values.map((value): Unit => ({ key: sha256(value), length: value.byteLength }));
const one = units[0] as Unit;

/** A remote tier in memory that answers late. */
function fakeRemote(): CacheTier & { entries: Map<string, Uint8Array> } {
  const entries = new Map<string, Uint8Array>();
  return {
    name: 'remote',
    entries,
    get: async (key) => entries.get(key),
    put: async (key, value) => void entries.set(key, value),
    drop: async (key) => void entries.delete(key),
    canHold: () => true,
    close: async () => {},
  };
}

function origin(cache: TieredCache, calls: Unit[][]) {
  return async (missing: readonly Unit[]) => {
    calls.push([...missing]);
    await new Promise((resolve) => setImmediate(resolve));
    for (const unit of missing) cache.deliver(unit, values[units.indexOf(unit)] as Uint8Array);
  };
}

test('tiers are asked in order and filled on the way back', async (t) => {
  const observer = recorder();
  const cacheDir = temporaryFolder(t);
  const remote = fakeRemote();
  remote.entries.set(one.key, values[0] as Uint8Array);
  const make = () =>
    createTieredCache({
      memory: createMemoryTier(1 << 20),
      lower: [createDiskTier({ cacheDir, quota: 1 << 30, observer }), remote],
      observer,
    });
  const outcomes: Outcome[] = [];
  const calls: Unit[][] = [];
  const get = async (cache: TieredCache) => {
    const batch = cache.load([one], {
      origin: origin(cache, calls),
      onOutcome: (_unit, outcome) => outcomes.push(outcome),
    });
    assert.deepEqual(await batch.take(0), values[0]);
    batch.release();
  };
  const first = make();
  await get(first);
  await get(first);
  await get(make());
  assert.deepEqual(outcomes, ['remote', 'memory', 'disk']);
  assert.equal(calls.length, 0);
  await first.close();
});

test('what a second look finds goes to memory too, for who wants it there', async () => {
  const remote = fakeRemote();
  for (const keepInMemory of [true, false]) {
    const memory = createMemoryTier(1 << 20);
    const cache = createTieredCache({ memory, lower: [remote] });
    remote.entries.clear();
    const late = async (missing: readonly Unit[]) => {
      remote.entries.set(one.key, values[0] as Uint8Array);
      assert.deepEqual(await cache.recheck(missing), []);
    };
    const batch = cache.load([one], { origin: late, keepInMemory });
    assert.deepEqual(await batch.take(0), values[0]);
    assert.equal(memory.contains(one.key, one.length), keepInMemory);
    batch.release();
  }
});

test('a batch asks the origin once, for what is missing, and each unit once however often it is named', async () => {
  const cache = createTieredCache({ memory: createMemoryTier(1 << 20) });
  const calls: Unit[][] = [];
  const load = (wanted: Unit[]) => cache.load(wanted, { origin: origin(cache, calls) });
  await load([units[1] as Unit]).take(0);
  const batch = load([...units.slice(0, 3), one, one]);
  const other = load(units.slice(2, 4));
  assert.deepEqual(await batch.take(4), values[0]);
  assert.deepEqual(await other.take(0), values[2]);
  assert.deepEqual(await other.take(1), values[3]);
  assert.deepEqual(calls.map((call) => call.map((unit) => units.indexOf(unit)).join()).sort(), [
    '0,2',
    '1',
    '3',
  ]);
});

for (const [name, harm] of [
  [
    'a flipped bit',
    (path: string) =>
      writeFileSync(
        path,
        (values[0] as Uint8Array).map((b, i) => (i === 9 ? b ^ 1 : b)),
      ),
  ],
  ['a truncated file', (path: string) => truncateSync(path, 100)],
  ['an empty file', (path: string) => truncateSync(path, 0)],
  ['a file grown to a terabyte', (path: string) => truncateSync(path, 2 ** 40)],
] as const) {
  test(`${name} on disk is dropped and fetched again`, async (t) => {
    const observer = recorder();
    const cacheDir = temporaryFolder(t);
    const calls: Unit[][] = [];
    const make = () =>
      createTieredCache({ lower: [createDiskTier({ cacheDir, quota: 1 << 30, observer })], observer });
    const first = make();
    await first.load([one], { origin: origin(first, calls) }).take(0);
    harm(entryPath(join(cacheDir, 'spans'), one.key));
    const second = make();
    assert.deepEqual(await second.load([one], { origin: origin(second, calls) }).take(0), values[0]);
    assert.equal(calls.length, 2);
    assert.equal(observer.count('corrupt'), 1);
    const third = make();
    assert.deepEqual(await third.load([one], { origin: origin(third, calls) }).take(0), values[0]);
    assert.equal(calls.length, 2);
  });
}

test('a remote that lies or fails is a miss', async () => {
  const observer = recorder();
  const remote = fakeRemote();
  remote.entries.set(one.key, new Uint8Array(one.length));
  const cache = createTieredCache({ lower: [remote], observer });
  const calls: Unit[][] = [];
  assert.deepEqual(await cache.load([one], { origin: origin(cache, calls) }).take(0), values[0]);
  assert.equal(observer.count('corrupt'), 1);
  assert.deepEqual(remote.entries.get(one.key), values[0]);
  remote.get = () => Promise.reject(new Error('down'));
  remote.put = () => Promise.reject(new Error('down'));
  const two = units[1] as Unit;
  assert.deepEqual(await cache.load([two], { origin: origin(cache, calls) }).take(0), values[1]);
  await cache.close();
});

test('what is not the key’s bytes is refused, and what the origin forgets fails', async () => {
  const cache = createTieredCache({ memory: createMemoryTier(1 << 20) });
  assert.throws(
    () => cache.deliver(one, new Uint8Array(one.length)),
    (e) => isClipError(e, 'DIGEST_MISMATCH'),
  );
  await assert.rejects(
    async () => cache.load([one], { origin: async () => {} }).take(0),
    (e) => isClipError(e, 'FAILED'),
  );
});

test('a load is aborted when its last reader leaves, not before, and the next reader starts anew', async () => {
  const cache = createTieredCache({ memory: createMemoryTier(1 << 20) });
  let signal: AbortSignal | undefined;
  const never = (_missing: readonly Unit[], given: AbortSignal) => {
    signal = given;
    return new Promise<void>((_resolve, reject) =>
      given.addEventListener('abort', () => reject(given.reason)),
    );
  };
  const first = cache.load([one], { origin: never });
  const second = cache.load([one], { origin: never });
  await new Promise((resolve) => setImmediate(resolve));
  first.release();
  first.release();
  assert.equal(signal?.aborted, false);
  second.release();
  assert.equal(signal?.aborted, true);
  const calls: Unit[][] = [];
  assert.deepEqual(await cache.load([one], { origin: origin(cache, calls) }).take(0), values[0]);
});

/** Delivers what it is asked for, up to the first of the damaged units. */
function damaged(cache: TieredCache, calls: string[], bad: readonly number[]) {
  return async (missing: readonly Unit[]) => {
    calls.push(missing.map((unit) => units.indexOf(unit)).join());
    await new Promise((resolve) => setImmediate(resolve));
    for (const unit of missing) {
      const i = units.indexOf(unit);
      if (bad.includes(i)) throw new Error(`unit ${i} is damaged`);
      cache.deliver(unit, values[i] as Uint8Array);
    }
  };
}

test('a load that fails for one unit fails nobody who wants another one of it', async () => {
  const cache = createTieredCache({});
  const calls: string[] = [];
  const outcomes: string[] = [];
  const load = (...wanted: number[]) =>
    cache.load(
      wanted.map((i) => units[i] as Unit),
      {
        origin: damaged(cache, calls, [2]),
        onOutcome: (unit, outcome, coalesced) =>
          outcomes.push(`${units.indexOf(unit)} ${coalesced ? 'joined' : outcome}`),
      },
    );
  const first = load(1, 2, 3, 4, 5);
  const second = load(1, 4, 6);
  assert.deepEqual(await second.take(0), values[1]);
  assert.deepEqual(await second.take(1), values[4]);
  assert.deepEqual(await second.take(1), values[4]);
  assert.deepEqual(await second.take(2), values[6]);
  for (const i of [1, 2, 3, 4]) await assert.rejects(async () => first.take(i), /unit 2 is damaged/);
  assert.deepEqual(calls.sort(), ['1,2,3,4,5', '4', '6']);
  assert.deepEqual(outcomes.sort(), [
    '1 joined',
    '1 miss',
    '2 miss',
    '3 miss',
    '4 joined',
    '4 miss',
    '5 miss',
    '6 miss',
  ]);
  first.release();
  second.release();
});

test('a damaged unit that a thousand wait for is loaded once more, for all of them', async () => {
  const cache = createTieredCache({});
  const calls: string[] = [];
  const origin = damaged(cache, calls, [2]);
  const batches = Array.from({ length: 1001 }, (_, i) =>
    cache.load(units.slice(2, i === 0 ? 4 : 3), { origin }),
  );
  const results = await Promise.allSettled(batches.map(async (batch) => batch.take(0)));
  for (const { status } of results) assert.equal(status, 'rejected');
  assert.deepEqual(calls, ['2,3', '2']);
  for (const batch of batches) batch.release();
});

test('the error of a load of one unit is that unit’s, and final', async () => {
  const cache = createTieredCache({});
  const calls: string[] = [];
  const origin = damaged(cache, calls, [2]);
  const batches = Array.from({ length: 3 }, () => cache.load(units.slice(2, 3), { origin }));
  for (const batch of batches) await assert.rejects(async () => batch.take(0), /unit 2 is damaged/);
  assert.deepEqual(calls, ['2']);
  for (const batch of batches) batch.release();
});

test('who loads again and joins others once more is not failed by them either', async () => {
  const cache = createTieredCache({});
  const calls: string[] = [];
  const origin = damaged(cache, calls, [2]);
  const both = [units[2] as Unit, units[4] as Unit];
  const first = cache.load(both, { origin });
  const reader = cache.load([units[0] as Unit, units[4] as Unit], { origin });
  assert.deepEqual(await reader.take(0), values[0]);
  await assert.rejects(async () => first.take(0), /unit 2 is damaged/);
  first.release();
  const next = cache.load(both, { origin });
  assert.deepEqual(await reader.take(1), values[4]);
  await assert.rejects(async () => next.take(0), /unit 2 is damaged/);
  assert.deepEqual(calls.sort(), ['0', '2,4', '2,4', '4']);
  next.release();
  reader.release();
});

test('a load that fails when only its own reader is left is not begun again', async () => {
  const cache = createTieredCache({});
  const calls: string[] = [];
  const origin = damaged(cache, calls, [2]);
  const first = cache.load(units.slice(2, 4), { origin });
  const second = cache.load(units.slice(3, 4), { origin });
  const left = second.take(0);
  second.release();
  await assert.rejects(async () => first.take(0), /unit 2 is damaged/);
  await assert.rejects(async () => left, /unit 2 is damaged/);
  assert.deepEqual(calls, ['2,3']);
  first.release();
});

test('a load that is made once more stops when its reader leaves', async () => {
  const cache = createTieredCache({});
  const signals: AbortSignal[] = [];
  const origin = async (_missing: readonly Unit[], signal: AbortSignal) => {
    signals.push(signal);
    await new Promise((resolve) => setImmediate(resolve));
    if (signals.length === 1) throw new Error('the first one fails');
    while (!signal.aborted) await new Promise((resolve) => setImmediate(resolve));
    throw signal.reason;
  };
  const first = cache.load(units.slice(0, 2), { origin });
  const second = cache.load(units.slice(1, 2), { origin });
  const value = second.take(0);
  await assert.rejects(async () => first.take(0), /the first one fails/);
  while (signals.length < 2) await new Promise((resolve) => setImmediate(resolve));
  second.release();
  await assert.rejects(async () => value, { name: 'AbortError' });
  assert.equal(signals[1]?.aborted, true);
});
