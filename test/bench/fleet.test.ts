import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startNginx, startRedis, startRedisCluster, startS3 } from '../support/cache-servers.js';
import { needs } from '../support/needs.js';
import { bundled, clip, tempDir } from '../support/run-clip.js';

interface Worker {
  worker: number;
  inflates: number;
  requests: number;
  fetchedBytes: number;
  lookups: number;
  misses: number;
  hits: { memory: number; disk: number; remote: number };
  remote: { errors: number };
}

async function fleet(t: TestContext, url: string, env: NodeJS.ProcessEnv = {}): Promise<Worker[]> {
  const cacheDir = await tempDir(t);
  const args = ['bench', bundled, '--reads', '30', '--workers', '3', '--remote-cache', url];
  const gates = ['--max-inflates', '0', '--max-requests', '0', '--max-fetched-bytes', '0'];
  const { status, stdout, stderr } = await clip([...args, ...gates, '--json'], { cacheDir, env });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout.toString()).workers;
}

function worker1Alone(workers: Worker[]): void {
  assert.deepEqual(
    workers.map(({ worker }) => worker),
    [1, 2, 3],
  );
  const [first, ...others] = workers;
  assert.ok(first && first.inflates > 0 && first.misses === first.inflates);
  for (const other of others) {
    assert.equal(other.inflates + other.requests + other.fetchedBytes + other.misses, 0);
    assert.equal(other.hits.remote, first.misses);
    assert.equal(other.remote.errors, 0);
  }
}

test('a remote cache that cannot be reached is said once for all workers', async (t) => {
  const cacheDir = await tempDir(t);
  const url = 'redis://127.0.0.1:1';
  const args = ['bench', bundled, '--reads', '5', '--workers', '3', '--remote-cache', url];
  const { status, stderr } = await clip([...args, '--stats', 'none'], { cacheDir });
  assert.equal(status, 0, stderr);
  const warnings = stderr.split('\n').filter((line) => line.startsWith('clip: warning: '));
  assert.equal(warnings.length, 1, stderr);
  assert.match(warnings[0]!, /the remote cache redis:\/\/127\.0\.0\.1:1 cannot be .* \(NETWORK\)/);
});

test('with worker 1 warm the others inflate and request nothing: Redis', async (t) => {
  if (!needs(t, 'redis-server')) return;
  worker1Alone(await fleet(t, (await startRedis(t)).url));
});

test('… a Redis Cluster', async (t) => {
  if (!needs(t, 'redis-server', 'redis-cli')) return;
  worker1Alone(await fleet(t, (await startRedisCluster(t)).url));
});

test('… nginx with DAV', async (t) => {
  if (!needs(t, 'nginx')) return;
  worker1Alone(await fleet(t, (await startNginx(t)).url));
});

test('… S3', async (t) => {
  const server = await startS3(t);
  worker1Alone(await fleet(t, server.url, server.env));
});

test('gates hold for the others, and a fleet needs a remote cache', async (t) => {
  const cacheDir = await tempDir(t);
  const bench = ['bench', bundled, '--reads', '3', '--workers', '2'];
  const alone = await clip(bench, { cacheDir });
  assert.equal(alone.status, 2);
  assert.match(alone.stderr, /--remote-cache/);
  const down = ['--remote-cache', 'http://127.0.0.1:9/', '--max-inflates', '0'];
  const failed = await clip([...bench, ...down], { cacheDir });
  assert.equal(failed.status, 7);
  assert.match(failed.stderr, /worker 2: span has \d+ where --max-inflates allows 0/);
});

test('a thousand reads at once of one layer: one inflate per span, and one of the layer', async (t) => {
  const cacheDir = await tempDir(t);
  const args = ['bench', bundled, '--reads', '1000', '--concurrency', '1000', '--json'];
  const { stdout, stderr } = await clip([...args, '--strategy', 'span', '--strategy', 'layer'], { cacheDir });
  const { strategies, files } = JSON.parse(stdout.toString() || `"${stderr}"`);
  const { stdout: once } = await clip(
    ['bench', bundled, '--reads', String(new Set(files).size), '--strategy', 'span', '--json'],
    { cacheDir },
  );
  assert.equal(strategies.span.inflates, JSON.parse(once.toString()).strategies.span.inflates);
  assert.equal(strategies.span.inflates, strategies.span.misses);
  assert.equal(strategies.layer.inflates, 1);
});
