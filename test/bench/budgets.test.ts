// Budgets that hold on any machine: what a read asks of the registry, what an index takes, how much memory a scan needs; and,
// with a generous margin, the decoder's speed against Node's zlib in the same run. docs/performance.md has the real numbers.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createGunzip } from 'node:zlib';
import { createGzipScanner } from '../../src/inflate/gzip/scan.js';
import { createSpanDigests } from '../../src/inflate/span-digests.js';
import { startTestRegistry } from '../support/registry.js';
import { clip, receiptOf, root, tempDir } from '../support/run-clip.js';

const fixture = join(root, 'fixtures/debian-small');
const blobs = join(fixture, 'blobs/sha256');
const layers = readdirSync(blobs)
  .map((name) => readFileSync(join(blobs, name)))
  .filter((bytes) => bytes[0] === 0x1f && bytes[1] === 0x8b);
const compressed = layers.reduce((sum, { length }) => sum + length, 0);

async function served(t: TestContext) {
  const cacheDir = await tempDir(t);
  const registry = await startTestRegistry();
  t.after(() => registry.stop());
  await registry.addLayout('demo', fixture, '1');
  const index = join(cacheDir, 'image.clip');
  const peak = join(cacheDir, 'peak');
  const hook = join(root, 'dist/test/support/peak-memory.js');
  const built = await clip(['index', `${registry.host}/demo:1`, '-o', index, '--stats', 'json'], {
    cacheDir,
    env: { CLIP_TEST_PEAK: peak, NODE_OPTIONS: `--import=${hook}` },
  });
  assert.equal(built.status, 0, built.stderr);
  return { cacheDir, registry, index, peak: Number(readFileSync(peak, 'utf8')), built };
}

test('a layer is fetched once and in one piece to be indexed, in bounded memory', async (t) => {
  const { registry, index, peak } = await served(t);
  const transfers = registry.log.filter(({ kind }) => kind === 'blob');
  // Each layer, and the config.
  assert.equal(transfers.length, layers.length + 1);
  assert.ok(peak < 220e6, `${peak} bytes at the peak`);
  // A small image pays more for its names than a large one does: those are 12 bytes each.
  const size = statSync(index).size;
  assert.ok(size < 0.02 * compressed, `${size} bytes for ${compressed}`);
});

test('a cold read of a small file is one request, one span, one inflate; a warm one is none', async (t) => {
  const { cacheDir, index } = await served(t);
  const cat = ['cat', index, '/etc/os-release', '--stats', 'json'];
  const cold = receiptOf(await clip(cat, { cacheDir }));
  assert.equal(cold.requests, 1);
  assert.equal(cold.inflates, 1);
  assert.equal(cold.misses, 1);
  assert.ok(Number(cold.fetchedBytes) <= 1 << 20, `${cold.fetchedBytes} bytes fetched`);
  assert.ok(Number(cold.inflatedBytes) <= 2 << 20, `${cold.inflatedBytes} bytes inflated`);
  const warm = receiptOf(await clip(cat, { cacheDir }));
  assert.deepEqual([warm.requests, warm.inflates, warm.fetchedBytes], [0, 0, 0]);
});

test('the scanner is not half as fast as Node’s zlib', async () => {
  const blob = layers.reduce((largest, it) => (it.length > largest.length ? it : largest));
  const rounds = 7;
  let ours = Number.POSITIVE_INFINITY;
  let theirs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    ours = Math.min(ours, await seconds(() => scan(blob)));
    theirs = Math.min(theirs, await seconds(() => gunzip(blob)));
  }
  assert.ok(ours < 2 * theirs, `scan ${ours} s, zlib ${theirs} s`);
});

async function seconds(work: () => void | Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** Marks, windows and CRC; without the spans' SHA-256, which zlib does not take either. */
function scan(blob: Uint8Array): void {
  const digests = createSpanDigests(() => ({ update() {}, digest: () => '0'.repeat(64) }));
  const scanner = createGzipScanner({ data() {}, span() {} }, { spacing: 1 << 20, digests });
  scanner.push(blob);
  scanner.end();
}

function gunzip(blob: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = createGunzip({ chunkSize: 1 << 20 });
    stream.on('data', () => {});
    stream.on('end', resolve);
    stream.on('error', reject);
    stream.end(blob);
  });
}
