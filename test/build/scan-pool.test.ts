// Threads of a pool: how many there are after layers that failed and layers that did not.
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import type { LayerScan } from '../../src/build/layer-scan.js';
import { createScanPool } from '../../src/build/scan-pool.js';
import { digestOf } from '../../src/reference/digest.js';

const size = 16 << 20;
const layer = (digest: string) => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest,
  size,
});

function watchThreads() {
  const live = new Set<Worker>();
  let begun = 0;
  const added = (worker: Worker) => {
    begun++;
    live.add(worker);
    worker.on('exit', () => live.delete(worker));
  };
  process.on('worker', added);
  return { live, begun: () => begun, end: () => process.off('worker', added) };
}

test('a pool has one thread for each scan under way, however many layers failed', async (t) => {
  if (availableParallelism() < 2) return t.skip('needs two cores');
  const threads = watchThreads();
  const tar = Buffer.alloc(10_240);
  const good = gzipSync(tar);
  const job = { digest: digestOf(good), size, diffId: digestOf(tar), spacing: 1 << 20 };
  const pool = createScanPool([layer(job.digest), layer(job.digest)]);
  t.after(() => {
    threads.end();
    return pool.close();
  });

  async function scan(bytes: Buffer): Promise<Awaited<ReturnType<LayerScan['end']>>> {
    const scanning = pool.open(job);
    try {
      await scanning.push(bytes);
      return await scanning.end();
    } finally {
      await scanning.close();
    }
  }

  for (let i = 0; i < 6; i++) {
    await assert.rejects(scan(Buffer.concat([good.subarray(0, 20), Buffer.alloc(5 << 20, 0xff)])));
    assert.ok(threads.live.size <= 1, `${threads.live.size} threads after ${i + 1} failed layers`);
  }
  const begun = threads.begun();
  for (let i = 0; i < 4; i++) assert.equal((await scan(good)).uncompressedSize, tar.length);
  assert.ok(threads.begun() <= begun + 1, 'a thread that did well takes the next layer');
});

test('a scan that is given up in its middle leaves no thread', async (t) => {
  if (availableParallelism() < 2) return t.skip('needs two cores');
  const threads = watchThreads();
  const job = {
    digest: `sha256:${'0'.repeat(64)}`,
    size,
    diffId: `sha256:${'0'.repeat(64)}`,
    spacing: 1 << 20,
  };
  const pool = createScanPool([layer(job.digest), layer(job.digest)]);
  t.after(() => {
    threads.end();
    return pool.close();
  });
  const scanning = pool.open(job);
  await scanning.push(gzipSync(Buffer.alloc(8 << 20)));
  await scanning.close();
  assert.equal(threads.live.size, 0);
});
