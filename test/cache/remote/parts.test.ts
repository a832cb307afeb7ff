import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseRemoteAddress } from '../../../src/cache/remote/address.js';
import { createBreaker } from '../../../src/cache/remote/breaker.js';
import { DeadlinePassed, withDeadline } from '../../../src/cache/remote/deadline.js';
import { s3Settings } from '../../../src/cache/remote/s3-settings.js';
import { createWriteQueue } from '../../../src/cache/remote/write-queue.js';
import { isClipError } from '../../../src/errors.js';

test('addresses are taken apart, and what may be printed of them holds no login', () => {
  const redis = parseRemoteAddress('rediss://me:p%40ss@[::1]:7000/2');
  assert.deepEqual(redis, {
    kind: 'redis',
    nodes: [{ host: '::1', port: 7000 }],
    tls: true,
    cluster: false,
    db: 2,
    username: 'me',
    password: 'p@ss',
    shown: 'rediss://[::1]:7000/2',
  });
  const cluster = parseRemoteAddress('redis://:pw@a,b:7001');
  assert.ok(cluster.kind === 'redis' && cluster.cluster && cluster.password === 'pw');
  assert.deepEqual(cluster.nodes, [
    { host: 'a', port: 6379 },
    { host: 'b', port: 7001 },
  ]);
  assert.equal(parseRemoteAddress('https://u:p@h/cache').shown, 'https://h/cache/');
  assert.equal(parseRemoteAddress('s3://bucket/a/b/?path-style=true').shown, 's3://bucket/a/b');
});

test('an address that cannot be used is a usage error that does not repeat it', () => {
  for (const url of [
    '/var/cache',
    'ftp://secret@h/',
    'redis://secret@',
    'redis://u:secret@h:99999',
    'redis://u:se/cret@h',
    'redis+cluster://h/1',
    's3://u:secret@bucket/x',
    's3://BUCKET_secret/',
    's3://bucket?secret=1',
    'https://u:p@h/?token=secret',
    'http://secret%zz@h/',
  ]) {
    assert.throws(
      () => parseRemoteAddress(url),
      (error) => isClipError(error, 'USAGE') && !error.message.includes('secret'),
      url,
    );
  }
});

test('S3: endpoint, region and style from the URL, then the variables that AWS tools know', () => {
  const keys = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' };
  const base = (url: string, env: NodeJS.ProcessEnv = {}) => {
    const address = parseRemoteAddress(url);
    assert.ok(address.kind === 's3');
    return s3Settings(address, { ...keys, ...env }).base.href;
  };
  assert.equal(base('s3://bucket/p'), 'https://bucket.s3.us-east-1.amazonaws.com/p/');
  assert.equal(
    base('s3://bu.cket', { AWS_REGION: 'eu-west-1' }),
    'https://s3.eu-west-1.amazonaws.com/bu.cket/',
  );
  const endpoints = { AWS_ENDPOINT_URL: 'http://a:1', AWS_ENDPOINT_URL_S3: 'http://b:2/s3' };
  assert.equal(base("s3://bucket/it's", endpoints), 'http://b:2/s3/bucket/it%27s/');
  assert.equal(base('s3://bucket?endpoint=http://c&path-style=false', endpoints), 'http://bucket.c/');
  const address = parseRemoteAddress('s3://bucket');
  assert.ok(address.kind === 's3');
  assert.throws(
    () => s3Settings(address, {}),
    (error) => isClipError(error, 'USAGE'),
  );
});

test('the breaker opens after failures in a row or one deadline, probes one at a time, and waits longer each time', () => {
  let now = 0;
  const breaker = createBreaker({ failures: 3, firstPause: 100, maxPause: 300, now: () => now });
  breaker.fail(false);
  breaker.fail(false);
  breaker.ok();
  breaker.fail(false);
  breaker.fail(false);
  assert.ok(breaker.allows());
  assert.equal(breaker.fail(false), true);
  assert.ok(!breaker.allows());
  now = 100;
  assert.ok(breaker.allows(), 'a probe');
  assert.ok(!breaker.allows(), 'and no second one');
  breaker.fail(false);
  now = 250;
  assert.ok(!breaker.allows());
  now = 300;
  assert.ok(breaker.allows());
  breaker.ok();
  assert.ok(breaker.allows() && !breaker.open);
  assert.equal(breaker.fail(true), true);
  assert.ok(!breaker.allows());
});

test('a deadline passes, unless the answer is there and only this thread was late', async () => {
  await assert.rejects(
    withDeadline(20, () => new Promise(() => {})),
    DeadlinePassed,
  );
  const busy = withDeadline(20, async () => {
    const answer = sleep(1).then(() => 'here');
    const until = performance.now() + 60;
    while (performance.now() < until);
    return answer;
  });
  assert.equal(await busy, 'here');
});

test('the write queue keeps its bound and the order per key, and lets the newest value win', async () => {
  const log: string[] = [];
  let release: () => void = () => {};
  const queue = createWriteQueue({
    capacity: 100,
    parallel: 1,
    write: async (key, value) => {
      log.push(`${key}${value?.byteLength ?? '-'}`);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    },
  });
  assert.ok(queue.put('a', new Uint8Array(40)));
  assert.ok(queue.put('b', new Uint8Array(30)));
  assert.ok(queue.put('a', new Uint8Array(20)));
  assert.ok(!queue.put('c', new Uint8Array(20)), 'no room');
  queue.drop('b');
  assert.ok(queue.put('b', new Uint8Array(10)));
  let ready = false;
  const waiting = queue.ready()?.then(() => {
    ready = true;
  });
  assert.ok(waiting);
  await sleep(1);
  assert.ok(!ready);
  for (let i = 0; i < 3; i++) {
    release();
    await sleep(1);
  }
  await waiting;
  await queue.idle();
  assert.deepEqual(log, ['a40', 'b10', 'a20']);
});

test('a value larger than the whole write queue is taken while less than half of it is', async () => {
  const log: string[] = [];
  let release: () => void = () => {};
  const queue = createWriteQueue({
    capacity: 100,
    parallel: 1,
    write: async (key) => {
      log.push(key);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    },
  });
  const written = async () => {
    release();
    await sleep(1);
  };
  assert.ok(queue.put('large', new Uint8Array(200)));
  assert.ok(!queue.put('small', new Uint8Array(1)), 'no room beside it');
  const waiting = queue.ready();
  assert.ok(waiting);
  await written();
  await waiting;
  assert.ok(queue.put('less than half', new Uint8Array(49)));
  assert.ok(queue.put('larger', new Uint8Array(300)));
  assert.ok(!queue.put('large', new Uint8Array(200)), 'one at a time');
  await written();
  await written();
  assert.ok(queue.put('half', new Uint8Array(50)));
  assert.ok(!queue.put('large', new Uint8Array(200)), 'half of the room is taken');
  await written();
  await queue.idle();
  assert.deepEqual(log, ['large', 'less than half', 'larger', 'half']);
});
