import assert from 'node:assert/strict';
import { readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startNginx, startRedis, startRedisCluster } from '../../support/cache-servers.js';
import { needs } from '../../support/needs.js';
import { countOf, makeValues, worker } from '../../support/remote.js';
import { freePort } from '../../support/server-process.js';

const values = makeValues(60, 100_000);
const { units } = values;

/** Has all values stored by a first worker. */
async function warm(url: string): Promise<void> {
  const first = worker(url, values);
  await first.read(units);
  await first.cache.close();
}

test('Redis is killed in mid-run, and comes back', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const server = await startRedis(t);
  await warm(server.url);
  const reader = worker(server.url, values);
  await reader.read(units.slice(0, 20));
  const [took] = await Promise.all([reader.read(units.slice(20, 60)), server.stop()]);
  assert.ok(took < 2500, `${took} ms`);
  await reader.read(units);
  assert.equal(countOf(reader.events, 'warning'), 1);
  await server.restart();
  await sleep(2500);
  const before = countOf(reader.events, 'remote', 'stored');
  for (let i = 0; i < 3; i++) await reader.read(units.slice(0, 5)).then(() => sleep(700));
  assert.ok(countOf(reader.events, 'remote', 'stored') > before, 'it is used again once it is back');
  await reader.cache.close();
});

test('a node of a Cluster is killed in mid-run: its share is read from below, the others go on', async (t) => {
  if (!needs(t, 'redis-server', 'redis-cli')) return;
  const { url, nodes } = await startRedisCluster(t);
  await warm(url);
  const reader = worker(url, values);
  await reader.read(units.slice(0, 20));
  assert.deepEqual(reader.outcomes, { remote: 20 });
  await nodes[2]?.stop();
  await reader.read(units);
  await reader.read(units);
  await reader.cache.close();
});

test('a stalled Redis costs a read its deadline once, then nothing', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const server = await startRedis(t);
  await warm(server.url);
  const reader = worker(server.url, values, { timeout: 1000 });
  await reader.read(units.slice(0, 20));
  server.kill('SIGSTOP');
  const stalled = await reader.read(units.slice(20, 60));
  assert.ok(stalled >= 990 && stalled < 3000, `${stalled} ms for 40 spans, and the deadline is 1000 ms`);
  const after = await reader.read(units);
  assert.ok(after < 900, `${after} ms while the circuit is open`);
  server.kill('SIGCONT');
  await sleep(2500);
  const { remote = 0 } = { ...reader.outcomes };
  await reader.read(units.slice(0, 1));
  await sleep(200);
  await reader.read(units);
  assert.ok((reader.outcomes.remote ?? 0) > remote, 'it is used again once it answers');
  await reader.cache.close();
});

test('a stalled server that has let a read wait does not hold up the end too', async (t) => {
  if (!needs(t, 'nginx')) return;
  const server = await startNginx(t);
  server.kill('SIGSTOP');
  const reader = worker(server.url, values, { timeout: 200 });
  await reader.read(units);
  const began = performance.now();
  await reader.cache.close();
  const took = performance.now() - began;
  assert.ok(took < 1000, `${took} ms`);
  assert.equal(countOf(reader.events, 'remote', 'stored'), 0);
  server.kill('SIGCONT');
});

test('a stalled server that has let a read wait does not hold up a prefetch too', async (t) => {
  if (!needs(t, 'nginx')) return;
  const server = await startNginx(t);
  server.kill('SIGSTOP');
  // More than half of what may wait to be written.
  const large = makeValues(2, 20 << 20);
  const reader = worker(server.url, large, { timeout: 200 });
  await reader.read(large.units);
  const began = performance.now();
  await reader.cache.ready();
  const took = performance.now() - began;
  assert.ok(took < 1000, `${took} ms`);
  await reader.cache.close();
  server.kill('SIGCONT');
});

test('a server that always answers late costs a read one round of lookups, not one for every sixteen spans', async (t) => {
  let asked = 0;
  const server = createServer((request, response) => {
    request.resume();
    if (request.method === 'GET') asked++;
    response.statusCode = request.method === 'GET' ? 404 : 201;
    setTimeout(() => response.end(), request.method === 'GET' ? 800 : 0);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.after(() => server.close());
  const reader = worker(`http://127.0.0.1:${port}/`, values, { timeout: 1500 });
  const took = await reader.read(units);
  assert.ok(took < 2500, `${took} ms for 60 spans`);
  assert.ok(asked <= 32, `${asked} lookups`);
  assert.equal(countOf(reader.events, 'warning'), 1);
  assert.match(JSON.stringify(reader.events), /more than half of --remote-timeout/);
  await reader.cache.close();
});

test('a server that takes no writes does not hold up the end for longer than the limit', async (t) => {
  const server = createServer((request, response) => {
    if (request.method !== 'GET') return;
    response.statusCode = 404;
    response.end();
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const reader = worker(`http://127.0.0.1:${port}/`, values);
  await reader.read(units);
  const began = performance.now();
  await reader.cache.close();
  const took = performance.now() - began;
  assert.ok(took > 1000 && took < 6000, `${took} ms`);
  assert.equal(countOf(reader.events, 'remote', 'dropped') + countOf(reader.events, 'remote', 'failed'), 60);
});

test('a full Redis refuses writes, still answers reads, and is said once', async (t) => {
  if (!needs(t, 'redis-server', 'redis-cli')) return;
  const server = await startRedis(t, ['--maxmemory', '5mb', '--maxmemory-policy', 'noeviction']);
  const first = worker(server.url, values);
  await first.read(units);
  await first.cache.close();
  const stored = countOf(first.events, 'remote', 'stored');
  assert.ok(stored > 5 && stored < 60, `${stored} stored`);
  assert.equal(countOf(first.events, 'warning'), 1);
  assert.match(JSON.stringify(first.events), /OOM/);
  const second = worker(server.url, values);
  await second.read(units);
  await second.cache.close();
  assert.equal(second.outcomes.remote, stored);
});

test('corrupted in mid-run: every read is right, what does not hold is replaced', async (t) => {
  if (!needs(t, 'nginx')) return;
  const server = await startNginx(t);
  await warm(server.url);
  const folder = `${server.root}/cache`;
  const reader = worker(server.url, values);
  await reader.read(units.slice(0, 40));
  for (const [i, name] of readdirSync(folder).entries()) {
    if (i % 10 === 0) writeFileSync(`${folder}/${name}`, Buffer.alloc(100_000, i));
    if (i % 10 === 1) truncateSync(`${folder}/${name}`, 99_999);
    if (i % 10 === 2) writeFileSync(`${folder}/${name}`, Buffer.alloc(5_000_000));
  }
  await reader.read(units);
  await reader.cache.close();
  assert.ok(countOf(reader.events, 'corrupt') >= 12);
  const again = worker(server.url, values);
  await again.read(units);
  await again.cache.close();
  assert.deepEqual(again.outcomes, { remote: 60 });
});

test('a server that always lies is left alone after a few answers', async (t) => {
  const port = await freePort();
  let asked = 0;
  const server = createServer((request, response) => {
    if (request.method === 'GET') asked++;
    request.resume();
    response.end(Buffer.alloc(100_000, 7));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.after(() => server.close());
  const reader = worker(`http://127.0.0.1:${port}/`, values);
  for (const unit of units) await reader.read([unit]);
  await reader.cache.close();
  assert.equal(reader.outcomes.miss, 60);
  assert.ok(asked < 20, `${asked} requests`);
});

test('a server that is slow to send a body, or sends none of it, costs no more than the deadline', async (t) => {
  const server = createServer((request, response) => {
    request.resume();
    if (request.method !== 'GET') return void response.end();
    response.writeHead(200, { 'content-length': 100_000 });
    response.write(Buffer.alloc(10));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const reader = worker(`http://127.0.0.1:${port}/`, values, { timeout: 250 });
  const took = await reader.read(units);
  await reader.cache.close();
  assert.ok(took >= 240 && took < 3000, `${took} ms`);
  assert.equal(countOf(reader.events, 'warning'), 1);
});

test('a server that says megabytes is quoted with its first words', async (t) => {
  const server = createNetServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (asked) => {
      const commands = asked.toString('latin1').match(/\*\d+\r\n/g) ?? [];
      for (const _ of commands) socket.write(`-ERR no: ${'x'.repeat(2 << 20)}\r\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const reader = worker(`redis://127.0.0.1:${port}`, values);
  t.after(() => server.close());
  await reader.read(units.slice(0, 1));
  await reader.cache.close();
  const told = JSON.stringify(reader.events);
  assert.match(told, /going on without it: ERR no: x/);
  assert.ok(told.length < 10_000, `${told.length} characters`);
});
