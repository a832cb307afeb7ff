import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { redisCli, startNginx, startRedis, startRedisCluster, startS3 } from '../../support/cache-servers.js';
import { needs } from '../../support/needs.js';
import { countOf, makeValues, type RemoteOptions, remoteTier, worker } from '../../support/remote.js';
import { freePort } from '../../support/server-process.js';

const values = makeValues(24, 200_000);

/** What every engine has to do: give back what was put, know what it does not have, forget what is dropped, replace what lies. */
async function holdsUp(url: string, options: RemoteOptions = {}): Promise<void> {
  const first = worker(url, values, options);
  await first.read(values.units);
  assert.deepEqual(first.outcomes, { miss: 24 });
  await first.cache.close();
  assert.equal(countOf(first.events, 'remote', 'stored'), 24, JSON.stringify(first.events.slice(0, 3)));

  const second = worker(url, values, options);
  await second.read(values.units);
  assert.deepEqual(second.outcomes, { remote: 24 });
  await second.cache.close();
  assert.equal(countOf(second.events, 'remote', 'failed'), 0);

  const [one] = values.units;
  assert.ok(one);
  for (const lie of [new Uint8Array(one.length), new Uint8Array(one.length + 9), new Uint8Array(5)]) {
    const liar = remoteTier(url, options).tier;
    liar.put(one.key, lie);
    await liar.close();
    const third = worker(url, values, options);
    await third.read([one]);
    assert.deepEqual(third.outcomes, { miss: 1 });
    assert.equal(countOf(third.events, 'corrupt'), 1);
    await third.cache.close();
    const fourth = worker(url, values, options);
    await fourth.read([one]);
    assert.deepEqual(fourth.outcomes, { remote: 1 }, 'what did not hold was replaced');
    await fourth.cache.close();
  }

  const dropping = remoteTier(url, options).tier;
  dropping.drop(one.key);
  await dropping.close();
  const { tier, events } = remoteTier(url, options);
  assert.equal(await tier.get(one.key, one.length), undefined);
  assert.equal(countOf(events, 'remote', 'miss'), 1, JSON.stringify(events));
  await tier.close();
}

test('Redis', async (t) => {
  if (!needs(t, 'redis-server', 'redis-cli')) return;
  const server = await startRedis(t);
  await holdsUp(server.url);
  const ttl = Number(await redisCli(server, 'ttl', `clip:${values.units[1]?.key}`));
  assert.ok(ttl > 0 && ttl <= 60, `${ttl}`);
});

test('Redis with a user, a password and a database', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const server = await startRedis(t, ['--requirepass', 'p@ss:w/rd']);
  const address = `127.0.0.1:${server.port}`;
  await holdsUp(`redis://default:p%40ss%3Aw%2Frd@${address}/3`);
  // ioredis says nothing of a database that there is none of, and would use the first.
  const none = worker(`redis://default:p%40ss%3Aw%2Frd@${address}/99`, values);
  await none.read(values.units.slice(0, 3));
  await none.cache.close();
  assert.deepEqual(none.outcomes, { miss: 3 });
  assert.match(JSON.stringify(none.events), /out of range.*a database that this server does not have/);
  const wrong = worker(`redis://default:secret@${address}`, values);
  await wrong.read(values.units.slice(0, 3));
  await wrong.cache.close();
  assert.deepEqual(wrong.outcomes, { miss: 3 });
  const text = JSON.stringify(wrong.events);
  assert.match(text, /(WRONGPASS|NOAUTH).*check user and password/);
  assert.doesNotMatch(text, /secret/);
});

test('a Redis Cluster of three, by one of its nodes', async (t) => {
  if (!needs(t, 'redis-server', 'redis-cli')) return;
  const { url, nodes } = await startRedisCluster(t);
  await holdsUp(url);
  for (const node of nodes) await redisCli(node, 'flushall');
  await holdsUp(url.replace('redis:', 'redis+cluster:'));
  for (const node of nodes) assert.ok(Number(await redisCli(node, 'dbsize')) > 0, 'every node has a share');
});

test('nginx with DAV, and with a password', async (t) => {
  if (!needs(t, 'nginx')) return;
  const open = await startNginx(t);
  await holdsUp(open.url);
  assert.equal(readdirSync(`${open.root}/cache`).length, 23);
  const closed = await startNginx(t, { login: 'worker:p%20w' });
  const url = `http://worker:p%2520w@127.0.0.1:${closed.port}/cache/`;
  await holdsUp(url);
  const wrong = worker(url.replace('%2520', '-'), values);
  await wrong.read(values.units.slice(0, 3));
  await wrong.cache.close();
  const warnings = wrong.events.filter((event) => event.type === 'warning');
  assert.equal(warnings.length, 1);
  assert.match(JSON.stringify(warnings), /status 401/);
  assert.doesNotMatch(JSON.stringify(wrong.events), /worker|p-w/);
});

test('S3, signed', async (t) => {
  const server = await startS3(t);
  await holdsUp(server.url, { env: server.env });
  const env = { ...server.env, AWS_SECRET_ACCESS_KEY: 'wrong' };
  const wrong = worker(server.url, values, { env });
  await wrong.read(values.units.slice(0, 3));
  await wrong.cache.close();
  assert.match(JSON.stringify(wrong.events), /SignatureDoesNotMatch/);
});

for (const url of ['redis://127.0.0.1:', 'http://127.0.0.1:']) {
  test(`nobody at ${url}: every read is right, one warning`, async () => {
    const client = worker(`${url}${await freePort()}`, values);
    const took = await client.read(values.units);
    await client.cache.close();
    assert.deepEqual(client.outcomes, { miss: 24 });
    assert.equal(countOf(client.events, 'warning'), 1);
    assert.ok(took < 2500, `${took} ms`);
  });
}
