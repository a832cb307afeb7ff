import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createRing, ringWriter } from '../../src/build/byte-ring.js';

const thread = new URL('../../src/build/hash-thread.js', import.meta.url);

/** V8 ends waits early now and then when there are more threads than cores; a ring that trusts them hashes torn slots. */
test('four rings at once, on however few cores, hash what was written, stream after stream', async () => {
  const writer = `
    const { parentPort, workerData, Worker } = require('node:worker_threads');
    const { createHash } = require('node:crypto');
    import(workerData.module).then(({ createRing, ringWriter }) => {
      const ring = createRing();
      new Worker(new URL(workerData.thread), { workerData: { ring } }).unref();
      const out = ringWriter(ring);
      let equal = true;
      for (let stream = 0; stream < 4; stream++) {
        const hash = createHash('sha256');
        for (let i = 0; i < 200; i++) {
          const bytes = Buffer.alloc(1 + ((i * 7919 * 97) % 700000), i + stream);
          hash.update(bytes);
          out.write(bytes);
        }
        equal &&= hash.digest('hex') === Buffer.from(out.finish().subarray(0, 32)).toString('hex');
      }
      parentPort.postMessage(equal);
    });`;
  const module = new URL('../../src/build/byte-ring.js', import.meta.url).href;
  const results = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const worker = new Worker(writer, { eval: true, workerData: { module, thread: thread.href } });
      const equal = await new Promise((resolve, reject) =>
        worker.once('message', resolve).once('error', reject),
      );
      await worker.terminate();
      return equal;
    }),
  );
  assert.deepEqual(results, [true, true, true, true]);
});

test('an empty stream has the digest of nothing', async () => {
  const ring = createRing();
  const worker = new Worker(thread, { workerData: { ring } });
  const digest = Buffer.from(ringWriter(ring).finish().subarray(0, 32)).toString('hex');
  await worker.terminate();
  assert.equal(digest, createHash('sha256').digest('hex'));
});
