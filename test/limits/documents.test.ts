/** Manifests, configs and answers of a registry that are far too large, nested without end, or never end. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Fault, type LoggedRequest, startTestRegistry } from '../support/registry.js';
import { tempDir } from '../support/run-clip.js';
import { member, tar } from '../support/tar-builder.js';
import { measure } from './measured.js';

/** MiB. */
const MOST_MEMORY = 256;
const INDEX = 'application/vnd.oci.image.index.v1+json';
const HUGE = 500 << 20;

async function setUp(t: TestContext) {
  const registry = await startTestRegistry();
  t.after(() => registry.stop());
  const dir = await tempDir(t);
  const layer = tar(member({ name: 'a' }, 'content'));
  const digest = registry.addBlob(layer);
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digest] } }),
  );
  const manifest = {
    schemaVersion: 2,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: registry.addBlob(config),
      size: config.length,
    },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: layer.length }],
  };
  registry.addManifest('x', 'latest', manifest);
  const index = async (tag = 'latest') => {
    const run = await measure(['index', `${registry.host}/x:${tag}`, '-o', join(dir, 'i')], dir);
    t.diagnostic(`${Math.round(run.peak)} MiB, ${run.seconds.toFixed(1)} s`);
    assert.ok(run.peak < MOST_MEMORY, `${run.peak} MiB`);
    assert.ok(run.seconds < 20, `${run.seconds} s`);
    return { ...run, code: /\(([A-Z_]+)\)$/m.exec(run.stderr)?.[1] };
  };
  return { registry, manifest, layer, digest, index };
}

type Hook = (request: LoggedRequest) => Fault | undefined;
const endless: Fault = { kind: 'endless' };

const ENDLESS: Readonly<Record<string, { hook: Hook; code: string; status: number }>> = {
  'a manifest without end': {
    hook: ({ kind }) => (kind === 'manifest' ? endless : undefined),
    code: 'LIMIT',
    status: 1,
  },
  'a token of 64 MiB': {
    hook: ({ kind, path }) => {
      if (kind === 'token') return { kind: 'status', status: 200, body: 'x'.repeat(64 << 20) };
      if (path.includes('/manifests/'))
        return { kind: 'status', status: 401, headers: { 'www-authenticate': 'Bearer realm="/token"' } };
      return undefined;
    },
    code: 'LIMIT',
    status: 1,
  },
  'headers without end': {
    hook: () => ({ kind: 'garbage', bytes: `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(1 << 20)}` }),
    code: 'NETWORK',
    status: 5,
  },
};

for (const [name, { hook, code, status }] of Object.entries(ENDLESS)) {
  test(`${name}: ${code}`, async (t) => {
    const { registry, index } = await setUp(t);
    registry.onRequest((request) => {
      const fault = hook(request);
      if (fault?.kind !== 'status' || fault.headers === undefined) return fault;
      return {
        ...fault,
        headers: { 'www-authenticate': `Bearer realm="${registry.origin}/token",service="x"` },
      };
    });
    const run = await index();
    assert.equal(run.code, code, run.stderr);
    assert.equal(run.status, status, run.stderr);
  });
}

test('blobs without end are cut off where the manifest says', async (t) => {
  const { registry, index } = await setUp(t);
  registry.onRequest(({ kind }) => (kind === 'blob' ? endless : undefined));
  const run = await index();
  assert.equal(run.status, 0, run.stderr);
});

test('an error answer without end is an error, with the status that it has', async (t) => {
  const { registry, index } = await setUp(t);
  const body = 'x'.repeat(64 << 20);
  registry.onRequest(() => ({ kind: 'status', status: 403, body }));
  const run = await index();
  assert.equal(run.code, 'DENIED', run.stderr);
  assert.equal(run.status, 4);
  assert.ok(run.stderr.length < 2000, `${run.stderr.length} bytes of message`);
});

test('a manifest and a config of hundreds of megabytes: LIMIT', async (t) => {
  const { registry, manifest, index } = await setUp(t);
  const spaces = Buffer.alloc(HUGE, ' ');
  registry.addManifest('x', 'manifest', spaces);
  const first = await index('manifest');
  assert.deepEqual([first.code, first.status], ['LIMIT', 1], first.stderr);
  const config = { ...manifest.config, digest: registry.addBlob(spaces), size: HUGE };
  registry.addManifest('x', 'config', { ...manifest, config });
  const second = await index('config');
  assert.deepEqual([second.code, second.status], ['LIMIT', 1], second.stderr);
  assert.ok(!registry.log.some(({ path }) => path.includes(config.digest)), 'it was not even asked for');
});

test('more layers, manifests or diffIDs than any image has: LIMIT', async (t) => {
  const { registry, manifest, index } = await setUp(t);
  const layers = Array.from({ length: 2000 }, () => manifest.layers[0]!);
  registry.addManifest('x', 'layers', { ...manifest, layers });
  const manifests = Array.from({ length: 5000 }, () => ({ ...manifest.layers[0]!, mediaType: INDEX }));
  registry.addManifest('x', 'manifests', { schemaVersion: 2, manifests }, INDEX);
  for (const tag of ['layers', 'manifests']) {
    const run = await index(tag);
    assert.deepEqual([run.code, run.status], ['LIMIT', 1], run.stderr);
  }
});

test('image indexes nested without end, or very wide: LIMIT after a few requests', async (t) => {
  const { registry, index } = await setUp(t);
  const of = (...manifests: object[]) => ({ schemaVersion: 2, mediaType: INDEX, manifests });
  const empty = registry.addManifest('x', undefined, of(), INDEX);
  let digest = empty;
  for (let depth = 0; depth < 40; depth++)
    digest = registry.addManifest('x', 'deep', of({ mediaType: INDEX, digest, size: 1 }), INDEX);
  const many = Array.from({ length: 4000 }, () => ({ mediaType: INDEX, digest: empty, size: 1 }));
  registry.addManifest('x', 'wide', of(...many), INDEX);
  for (const tag of ['deep', 'wide']) {
    registry.log.length = 0;
    const run = await index(tag);
    assert.deepEqual([run.code, run.status], ['LIMIT', 1], run.stderr);
    assert.ok(registry.log.length < 100, `${registry.log.length} requests`);
  }
});

test('deeply nested JSON is no image', async (t) => {
  const { registry, index } = await setUp(t);
  const depth = 300_000;
  registry.addManifest('x', 'latest', Buffer.from(`${'['.repeat(depth)}${']'.repeat(depth)}`));
  const run = await index();
  assert.deepEqual([run.code, run.status], ['CORRUPT_IMAGE', 6], run.stderr);
});

test('a layout with files of hundreds of megabytes: LIMIT', async (t) => {
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const hex = createHash('sha256').update('').digest('hex');
  const big = openSync(join(layout, 'blobs/sha256', hex), 'w');
  ftruncateSync(big, HUGE);
  closeSync(big);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  for (const size of [2, HUGE]) {
    const manifests = [{ mediaType, digest: `sha256:${hex}`, size }];
    writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    const run = await measure(['index', `oci:${layout}`, '-o', join(dir, 'i')], dir);
    assert.match(run.stderr, /\((LIMIT|DIGEST_MISMATCH|CORRUPT_IMAGE)\)$/m);
    assert.ok(run.peak < MOST_MEMORY, `${run.peak} MiB`);
  }
  const index = openSync(join(layout, 'index.json'), 'w');
  ftruncateSync(index, HUGE);
  closeSync(index);
  const run = await measure(['index', `oci:${layout}`, '-o', join(dir, 'i')], dir);
  assert.match(run.stderr, /\(LIMIT\)$/m);
  assert.ok(run.peak < MOST_MEMORY, `${run.peak} MiB`);
});
