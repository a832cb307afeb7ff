// Several that build the index of one image with one cache folder: each layer is scanned once, and whoever scans may fail.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildImageIndex } from '../../src/build/build-image-index.js';
import type { TestRegistry } from '../support/registry.js';
import { clip, root, tempDir } from '../support/run-clip.js';
import { machine, registryWithImage } from '../support/travel.js';

const LAYERS = 3;

function isLayer(registry: TestRegistry, { kind, path }: { kind: string; path: string }): boolean {
  const bytes = registry.store.blobs.get(path.slice(path.lastIndexOf('/') + 1));
  return kind === 'blob' && bytes?.[0] === 0x1f;
}

const layerRequests = (registry: TestRegistry) =>
  registry.log.filter((request) => isLayer(registry, request)).length;

/** Layers come late enough for all to have asked for them. */
function delayLayers(registry: TestRegistry): void {
  registry.onRequest((request) =>
    isLayer(registry, request) ? { kind: 'delay', milliseconds: 300 } : undefined,
  );
}

/** Layers stop coming in the middle; resolves when the first has. */
function stallLayers(registry: TestRegistry): Promise<void> {
  return new Promise((resolve) => {
    registry.onRequest((request) => {
      if (!isLayer(registry, request)) return undefined;
      resolve();
      return { kind: 'stall', after: 1000 };
    });
  });
}

test('of five builders with one cache folder each layer is fetched and scanned by one', async (t) => {
  const { registry, image } = await registryWithImage(t);
  const { options, events } = await machine(t);
  delayLayers(registry);
  registry.log.length = 0;
  const all = await Promise.all(Array.from({ length: 5 }, () => buildImageIndex(image, options)));
  assert.equal(layerRequests(registry), LAYERS);
  assert.equal(new Set(all.map(({ identity }) => identity)).size, 1);
  const sum = (origin: 'scanned' | 'local') =>
    all.reduce((n, { layerOrigins }) => n + layerOrigins[origin], 0);
  assert.equal(sum('scanned'), LAYERS);
  assert.equal(sum('local'), 4 * LAYERS);
  const waited = events.filter((event) => event.type === 'waited' && event.how === 'answered');
  assert.equal(waited.length, 4 * LAYERS);
});

test('under --index build nobody waits for anybody', async (t) => {
  const { registry, image } = await registryWithImage(t);
  const { options, events } = await machine(t, { index: 'build' });
  delayLayers(registry);
  await Promise.all([buildImageIndex(image, options), buildImageIndex(image, options)]);
  assert.equal(layerRequests(registry), 2 * LAYERS);
  assert.deepEqual(
    events.filter(({ type }) => type === 'waited'),
    [],
  );
});

test('where the one that scans is cancelled another one scans', async (t) => {
  const { registry, image } = await registryWithImage(t);
  const { options, events } = await machine(t);
  const cancelled = new AbortController();
  const stalled = stallLayers(registry);
  const first = buildImageIndex(image, { ...options, signal: cancelled.signal });
  await stalled;
  const second = buildImageIndex(image, options);
  while (!events.some((event) => event.type === 'progress' && event.unit === 'layers')) await sleep(5);
  registry.onRequest(undefined);
  cancelled.abort(new Error('no more'));
  await assert.rejects(first, /interrupted/);
  assert.deepEqual((await second).layerOrigins, { scanned: LAYERS, local: 0, registry: 0 });
});

test('where the process that scans is killed another one scans', async (t) => {
  const { registry, image } = await registryWithImage(t);
  const cacheDir = await tempDir(t);
  const stalled = stallLayers(registry);
  const env = { ...process.env, HOME: cacheDir, CLIP_CACHE_DIR: cacheDir };
  const killed = spawn(process.execPath, [join(root, 'bin/clip.js'), 'index', image], { env });
  await stalled;
  const other = clip(['cat', image, '/etc/debian_version'], { cacheDir });
  registry.onRequest(undefined);
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  const { status, stdout, stderr } = await other;
  assert.equal(status, 0, stderr);
  assert.match(stdout.toString(), /^\d+\.\d+\n$/);
});
