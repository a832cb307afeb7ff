import assert from 'node:assert/strict';
import test from 'node:test';
import { checkComparable, parseBaseline, worseThan } from '../../src/bench/baseline.js';
import { failedGates, type Gates, gatedStrategies } from '../../src/bench/gates.js';
import { latencyOf } from '../../src/bench/latency.js';
import { choose, createRandom } from '../../src/bench/random.js';
import type { BenchResult, StrategyResult } from '../../src/bench/results.js';
import { benchTable } from '../../src/cli/output/bench-table.js';
import { PLAIN } from '../../src/cli/output/style.js';
import { ClipError } from '../../src/errors.js';

function strategy(fields: Partial<StrategyResult> = {}): StrategyResult {
  return {
    reads: 50,
    bytesRead: 1000,
    lookups: 50,
    hits: { memory: 49, disk: 0, remote: 0 },
    coalesced: 0,
    misses: 1,
    hitRate: 0.98,
    inflates: 1,
    inflatedBytes: 4096,
    inflateSeconds: 0.1,
    prefetched: 0,
    requests: 2,
    fetchedBytes: 2048,
    remote: { gets: 0, puts: 0, bytes: 0, errors: 0 },
    corrupt: 0,
    scan: { inflates: 0, bytes: 0, requests: 0, fetchedBytes: 0 },
    elapsedSeconds: 0.5,
    latency: { p50: 1, p90: 2, p99: 30, max: 40 },
    speedup: 12.34,
    ...fields,
  };
}

function result(strategies: BenchResult['strategies'], fields: Partial<BenchResult> = {}): BenchResult {
  const files = Array.from({ length: 50 }, (_, i) => `/f${i}`);
  return {
    schema: 1,
    target: 'debian:12',
    image: 'sha256:00',
    reads: 50,
    seed: 1,
    concurrency: 1,
    files,
    strategies,
    ...fields,
  };
}

const NO_GATES: Gates = { maxInflates: [], minHitRate: [], maxFetchedBytes: [], maxRequests: [] };

test('the generator is the documented one', () => {
  // From the algorithm in docs/cli.md with 64-bit arithmetic, masked to 32 bits.
  const mask = 0xffffffffn;
  const imul = (a: bigint, b: bigint) => (a * b) & mask;
  for (const seed of [0, 1, 42, 4_294_967_295]) {
    const random = createRandom(seed);
    let state = BigInt(seed);
    for (let i = 0; i < 100; i++) {
      state = (state + 0x6d2b79f5n) & mask;
      let x = imul(state ^ (state >> 15n), state | 1n);
      x = (x ^ ((x + imul(x ^ (x >> 7n), x | 61n)) & mask)) & mask;
      assert.equal(BigInt(random()), (x ^ (x >> 14n)) & mask);
    }
  }
});

test('a choice is a permutation, the same for a seed, and goes round when more is asked for', () => {
  const items = Array.from({ length: 20 }, (_, i) => i);
  const chosen = choose(items, 20, 7);
  assert.deepEqual(
    [...chosen].sort((a, b) => a - b),
    items,
  );
  assert.deepEqual(choose(items, 20, 7), chosen);
  assert.deepEqual(choose(items, 5, 7), chosen.slice(0, 5));
  assert.deepEqual(choose(items, 45, 7), [...chosen, ...chosen, ...chosen.slice(0, 5)]);
  assert.notDeepEqual(choose(items, 20, 8), chosen);
  assert.deepEqual(choose(['one'], 3, 1), ['one', 'one', 'one']);
});

test('percentiles by nearest rank', () => {
  const samples = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.deepEqual(latencyOf(samples), { p50: 50, p90: 90, p99: 99, max: 100 });
  assert.deepEqual(latencyOf([3, 1, 2]), { p50: 2, p90: 3, p99: 3, max: 3 });
  assert.deepEqual(latencyOf([7]), { p50: 7, p90: 7, p99: 7, max: 7 });
  assert.deepEqual(latencyOf([]), { p50: 0, p90: 0, p99: 0, max: 0 });
});

test('gates hold at their limit, name the strategy that failed, and pass naive by', () => {
  const strategies = {
    naive: strategy({ inflates: 50, hitRate: 0, requests: 99 }),
    layer: strategy(),
    span: strategy({ inflates: 30, hitRate: 0.5, fetchedBytes: 10 }),
  };
  const failed = (gates: Partial<Gates>) => failedGates({ ...NO_GATES, ...gates }, strategies);
  assert.deepEqual(failed({ maxInflates: [{ strategy: 'layer', limit: 1 }] }), []);
  assert.deepEqual(failed({ maxInflates: [{ strategy: undefined, limit: 1 }] }), [
    'span has 30 where --max-inflates allows 1',
  ]);
  assert.deepEqual(failed({ minHitRate: [{ strategy: undefined, limit: 0.98 }] }), [
    'span has 0.5000 where --min-hit-rate allows 0.9800',
  ]);
  assert.deepEqual(failed({ maxFetchedBytes: [{ strategy: undefined, limit: 2047 }] }), [
    'layer has 2048 where --max-fetched-bytes allows 2047',
  ]);
  assert.equal(failed({ maxRequests: [{ strategy: undefined, limit: 1 }] }).length, 2);
  const named = gatedStrategies({ ...NO_GATES, maxRequests: [{ strategy: 'span', limit: 1 }] });
  assert.deepEqual([...named], ['span']);
});

test('a baseline is held against counts, not against times', () => {
  const before = result({ span: strategy(), naive: strategy() });
  const same = result({ span: strategy({ elapsedSeconds: 99 }), naive: strategy({ inflates: 999 }) });
  assert.deepEqual(worseThan(before, same), []);
  const better = result({ span: strategy({ inflates: 0, fetchedBytes: 1 }) });
  assert.deepEqual(worseThan(before, better), []);
  const worse = result({ span: strategy({ inflates: 2, requests: 3, misses: 2 }) });
  assert.deepEqual(worseThan(before, worse), [
    'span has 2 inflates where the baseline has 1',
    'span has 2 misses where the baseline has 1',
    'span has 3 requests where the baseline has 2',
  ]);
});

test('a baseline of another scenario, or none at all, is wrong usage', () => {
  const now = result({ span: strategy() });
  const refused = (act: () => unknown, message: RegExp) =>
    assert.throws(
      act,
      (error) => error instanceof ClipError && error.code === 'USAGE' && message.test(error.message),
    );
  refused(
    () => checkComparable(result({ span: strategy() }, { seed: 2 }), now, ['naive', 'span']),
    /seed 2, not 1/,
  );
  refused(
    () => checkComparable(result({ span: strategy() }, { image: 'sha256:11' }), now, ['naive', 'span']),
    /image sha256:11/,
  );
  refused(
    () => checkComparable(result({ span: strategy() }, { files: ['/x'] }), now, ['naive', 'span']),
    /other files/,
  );
  refused(
    () => checkComparable(result({ layer: strategy() }), now, ['naive', 'span']),
    /no gated strategy in common/,
  );
  refused(() => parseBaseline('{', 'b.json'), /b\.json is no baseline: it is not JSON/);
  refused(() => parseBaseline('null', 'b.json'), /not what `clip bench --json` prints/);
  refused(() => parseBaseline('{"schema":2}', 'b.json'), /not what `clip bench --json` prints/);
  refused(
    () => parseBaseline(JSON.stringify({ ...now, strategies: null }), 'b.json'),
    /not what `clip bench --json` prints/,
  );
  const { inflates: _, ...without } = strategy();
  const damaged = parseBaseline(JSON.stringify({ ...now, strategies: { span: without } }), 'b.json');
  refused(() => worseThan(damaged, now), /no inflates of span/);
});

test('the table leads with inflated bytes and time, in the order of the strategies', () => {
  const lines = benchTable(result({ span: strategy({ speedup: null }), layer: strategy() }), PLAIN).split(
    '\n',
  );
  assert.match(lines[0]!, /^STRATEGY +INFLATED +TIME +INFLATES +FETCHED +REQUESTS +HITS +HIT RATE +P50/);
  assert.match(lines[1]!, /^layer +4\.0 KiB +500 ms +1 +2\.0 KiB +2 +49 +98\.0 % +1\.00 ms .* 12\.3 x$/);
  assert.match(lines[2]!, /^span .* -$/);
});
