import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClaims } from '../../src/cache/claims.js';
import { temporaryFolder } from '../support/reading.js';
import { run } from '../support/run-clip.js';

const program = fileURLToPath(new URL('../support/flight-worker.js', import.meta.url));
const name = 'ab'.repeat(32);

/** What the workers wrote down: which unit was fetched by which process. */
function starts(log: string): string[][] {
  return readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ').slice(1));
}

test('eight processes fetch each unit once, whatever order they ask in; who waits counts a disk hit', async (t) => {
  const cacheDir = temporaryFolder(t);
  const log = join(cacheDir, 'log');
  const numbers = [1, 2, 3, 4, 5, 6];
  const orders = Array.from({ length: 8 }, (_, i) => (i % 2 ? numbers : [...numbers].reverse()));
  const results = await Promise.all(
    orders.map((order) => run(process.execPath, [program, cacheDir, log, '60', ...order.map(String)])),
  );
  const outcomes = { miss: 0, disk: 0 };
  for (const { status, stdout, stderr } of results) {
    assert.equal(status, 0, stderr);
    const result = JSON.parse(stdout.toString());
    assert.equal(result.corrupt, 0);
    outcomes.miss += result.outcomes.miss ?? 0;
    outcomes.disk += result.outcomes.disk ?? 0;
  }
  assert.deepEqual(
    starts(log)
      .map(([unit]) => Number(unit))
      .sort(),
    numbers,
  );
  assert.deepEqual(outcomes, { miss: 6, disk: 42 });
  assert.deepEqual(readdirSync(join(cacheDir, 'spans', 'claims')), []);
});

test('what a killed process was fetching is taken over at once', async (t) => {
  const cacheDir = temporaryFolder(t);
  const log = join(cacheDir, 'log');
  const victim = spawn(process.execPath, [program, cacheDir, log, '60000', '1'], { stdio: 'ignore' });
  const gone = new Promise((resolve) => victim.on('close', resolve));
  while (readdirSync(cacheDir).indexOf('log') < 0) await sleep(10);
  const waiting = run(process.execPath, [program, cacheDir, log, '1', '1']);
  await sleep(300);
  assert.equal(starts(log).length, 1);
  const killed = performance.now();
  victim.kill('SIGKILL');
  await gone;
  const { stdout } = await waiting;
  assert.deepEqual(JSON.parse(stdout.toString()).outcomes, { miss: 1 });
  assert.ok(performance.now() - killed < 3000, `${performance.now() - killed} ms`);
  assert.equal(starts(log).length, 2);
});

test('a stopped process is not waited for longer than its silence lasts', async (t) => {
  const spans = temporaryFolder(t);
  const claims = createClaims(spans, { silentMs: 200 });
  mkdirSync(join(spans, 'claims'));
  // Another container's process: its id says nothing here, so only its heartbeat counts, and there is none.
  symlinkSync(`${machine(spans)}0.1.1.feed`, join(spans, 'claims', name));
  assert.equal(claims.take(name), false);
  await sleep(100);
  assert.equal(claims.take(name), false);
  await sleep(150);
  assert.equal(claims.take(name), true);
  claims.release(name);
  assert.deepEqual(readdirSync(join(spans, 'claims')), []);
});

/** Where this process's ids count, as a claim of its own says it. */
function machine(spans: string): string {
  const claims = createClaims(spans);
  const own = 'cd'.repeat(32);
  claims.take(own);
  const [where = ''] = holder(spans, own).split('.');
  claims.release(own);
  return where;
}

function holder(spans: string, claim: string): string {
  const listing = readdirSync(join(spans, 'claims'), { withFileTypes: true });
  const entry = listing.find((it) => it.name === claim);
  assert.ok(entry?.isSymbolicLink());
  return readlinkSync(join(spans, 'claims', claim));
}

test('a claim of an earlier boot, of a dead process, or of one whose id was given away is void at once', (t) => {
  const spans = temporaryFolder(t);
  const claims = createClaims(spans);
  const where = machine(spans);
  const [boot, namespace] = where.split('-');
  for (const other of [
    `deadbeef-${namespace}.1.1.a`,
    `${where}.4194999.1.a`,
    `${where}.${process.ppid}.1.a`,
  ]) {
    if (boot === 'any') return t.skip('no boot id on this system');
    symlinkSync(other, join(spans, 'claims', name));
    assert.equal(claims.take(name), true, other);
    claims.release(name);
  }
  symlinkSync(`${where}.${process.ppid}.0.a`, join(spans, 'claims', name));
  assert.equal(claims.take(name), false, 'a live process keeps its claim');
});

test('a process shares its claims among its own loads', (t) => {
  const spans = temporaryFolder(t);
  const claims = createClaims(spans);
  const other = createClaims(spans);
  assert.equal(claims.take(name), true);
  assert.equal(claims.take(name), true);
  claims.release(name);
  assert.equal(other.take(name), false);
  claims.release(name);
  assert.equal(other.take(name), true);
});

test('where claims cannot be written everyone is on their own', (t) => {
  const spans = temporaryFolder(t);
  writeFileSync(join(spans, 'claims'), 'a file where the folder should be');
  const claims = createClaims(spans);
  assert.equal(claims.take(name), true);
  assert.equal(createClaims(spans).take(name), true);
  claims.release(name);
});
