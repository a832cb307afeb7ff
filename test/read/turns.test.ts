import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breath, turn } from '../../src/read/turns.js';

/** The number of the event loop's turn, until `stop`. */
function loopTurns() {
  let now = 0;
  let stopped = false;
  const next = (): void => {
    now++;
    if (!stopped) setImmediate(next);
  };
  setImmediate(next);
  return {
    now: () => now,
    stop() {
      stopped = true;
    },
  };
}

test('long work has a turn of the event loop for itself', async () => {
  const loop = loopTurns();
  const turns: { kind: 'long' | 'short'; at: number }[] = [];
  await turn();
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const kind = i % 4 === 0 ? 'long' : 'short';
      const pause = kind === 'long' ? turn() : breath();
      assert.ok(pause, 'a turn with long work has no breath left');
      await pause;
      turns.push({ kind, at: loop.now() });
    }),
  );
  loop.stop();
  const long = turns.filter(({ kind }) => kind === 'long').map(({ at }) => at);
  assert.equal(new Set(long).size, 5);
  const shared = turns.filter(({ kind, at }) => kind === 'short' && long.includes(at));
  assert.deepEqual(shared, []);
});

test('a thousand who waited go on a few in each turn, however late their work comes', async () => {
  const loop = loopTurns();
  const inTurn = new Map<number, number>();
  await turn();
  await Promise.all(
    Array.from({ length: 1000 }, async () => {
      await breath();
      // Their work comes when all of them have gone on.
      for (let i = 0; i < 5; i++) await undefined;
      inTurn.set(loop.now(), (inTurn.get(loop.now()) ?? 0) + 1);
      const until = performance.now() + 1;
      while (performance.now() < until);
    }),
  );
  loop.stop();
  assert.ok(Math.max(...inTurn.values()) <= 32, `${Math.max(...inTurn.values())} in one turn`);
});
