// A layer that was indexed with another image is not scanned again: in one repository, or with the base image that is named.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildImageIndex } from '../../src/build/build-image-index.js';
import { pushIndex } from '../../src/build/push-index.js';
import { isClipError } from '../../src/errors.js';
import { SECTION_ARTIFACT } from '../../src/oci/index-artifact.js';
import type { TestRegistry } from '../support/registry.js';
import { member, tar } from '../support/tar-builder.js';
import { machine, registryWithImage } from '../support/travel.js';

const FILE = '/etc/debian_version';

/** Puts an image with one layer more than the bundled one into a repository. */
function derive(
  registry: TestRegistry,
  repository: string,
  annotations: Record<string, string> = {},
): { image: string; layer: string } {
  const [, stored] = [...registry.store.manifests.get('demo/app')!].find(([name]) => name === '1')!;
  const manifest = JSON.parse(Buffer.from(stored.bytes).toString());
  const config = JSON.parse(Buffer.from(registry.store.blobs.get(manifest.config.digest)!).toString());
  const plain = tar(member({ name: 'opt/app' }, `${repository}\n`));
  const layer = gzipSync(plain);
  const digest = registry.addBlob(layer);
  manifest.layers.push({
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest,
    size: layer.length,
  });
  config.rootfs.diff_ids.push(`sha256:${createHash('sha256').update(plain).digest('hex')}`);
  delete config.history;
  const bytes = Buffer.from(JSON.stringify(config));
  manifest.config = { ...manifest.config, digest: registry.addBlob(bytes), size: bytes.length };
  manifest.annotations = annotations;
  registry.addManifest(repository, '2', manifest);
  return { image: `${registry.host}/${repository}:2`, layer: digest };
}

/** The layers whose blobs were fetched, whole or in part. */
function layersFetched(registry: TestRegistry, repository: string): string[] {
  const manifest = JSON.parse(
    Buffer.from(registry.store.manifests.get(repository)!.get('2')!.bytes).toString(),
  ) as { layers: { digest: string }[] };
  const digests = manifest.layers.map(({ digest }) => digest);
  return digests.filter((digest) => registry.log.some(({ path }) => path.endsWith(`/blobs/${digest}`)));
}

for (const referrers of [undefined, 'none'] as const) {
  const name = referrers === 'none' ? 'tags' : 'api';
  test(`within one repository an image fetches only its own layers (${name})`, async (t) => {
    const { registry, image } = await registryWithImage(t, referrers && { referrers });
    await pushIndex(image, (await machine(t)).options);
    const derived = derive(registry, 'demo/app');
    const other = await machine(t);
    registry.log.length = 0;
    const built = await buildImageIndex(derived.image, other.options);
    // The smallest layer of the four is scanned sooner than asked for.
    const tiny = built.layers.filter(({ size }) => size < 256 << 10).length;
    assert.deepEqual(built.layerOrigins, { scanned: tiny, local: 0, registry: 4 - tiny });
    const fetched = layersFetched(registry, 'demo/app');
    assert.equal(fetched.length, tiny);
    assert.ok(fetched.includes(derived.layer));
    const asked = registry.log.length;
    assert.ok(asked <= 3 + tiny + 4 * (4 - tiny), `${asked} requests`);

    // It is the index that scanning everything gives, and it is kept apart from those.
    const alone = await buildImageIndex(derived.image, { ...(await machine(t)).options, index: 'build' });
    assert.equal(built.identity, alone.identity);
    const seen = await other.cat(derived.image, '/opt/app');
    assert.deepEqual([seen.text, seen.origin], ['demo/app\n', 'mixed']);
    // One that is damaged is made again.
    const mixed = readFileSync(seen.indexPath);
    mixed[100]! ^= 1;
    writeFileSync(seen.indexPath, mixed);
    // A pin does not fail on it: it is not the index that is meant.
    const pin = `sha256:${'ab'.repeat(32)}` as const;
    await assert.rejects(other.cat(derived.image, '/opt/app', { index: pin }), (error) =>
      isClipError(error, 'INDEX_NOT_FOUND'),
    );
    const again = await other.cat(derived.image, '/opt/app');
    assert.deepEqual([again.text, again.identity], ['demo/app\n', built.identity]);
    const own = await other.cat(derived.image, FILE, { index: 'build' });
    assert.deepEqual([own.text, own.origin, own.scans], ['12.15\n', 'built', 4]);
  });
}

test('the local store: what was scanned here is not fetched again, from whatever image', async (t) => {
  const { registry, image } = await registryWithImage(t);
  const { options } = await machine(t);
  await buildImageIndex(image, options);
  const derived = derive(registry, 'other/place');
  registry.log.length = 0;
  const built = await buildImageIndex(derived.image, options);
  assert.deepEqual(built.layerOrigins, { scanned: 1, local: 3, registry: 0 });
  assert.deepEqual(layersFetched(registry, 'other/place'), [derived.layer]);
});

test('another repository: only through the base image that the image names by digest, on the same registry', async (t) => {
  const { registry, image, subject } = await registryWithImage(t);
  await pushIndex(image, (await machine(t)).options);
  const foreign = await registryWithImage(t);

  const silent = derive(registry, 'apps/silent');
  const scannedAll = await buildImageIndex(silent.image, (await machine(t)).options);
  assert.deepEqual(scannedAll.layerOrigins, { scanned: 4, local: 0, registry: 0 });

  const base = (host: string) => ({
    'org.opencontainers.image.base.name': `${host}/demo/app:1`,
    'org.opencontainers.image.base.digest': subject,
  });
  const named = derive(registry, 'apps/named', base(registry.host));
  const reused = await buildImageIndex(named.image, (await machine(t)).options);
  assert.ok(reused.layerOrigins.registry >= 1);
  assert.equal(reused.layerOrigins.registry + reused.layerOrigins.scanned, 4);

  // An image cannot make clip speak to another host.
  const luring = derive(registry, 'apps/luring', base(foreign.registry.host));
  foreign.registry.log.length = 0;
  const alone = await buildImageIndex(luring.image, (await machine(t)).options);
  assert.deepEqual(alone.layerOrigins, { scanned: 4, local: 0, registry: 0 });
  assert.deepEqual(foreign.registry.log, []);
});

test('a section that is of another layer, or damaged, is not used', async (t) => {
  const { registry, image } = await registryWithImage(t);
  await pushIndex(image, (await machine(t)).options);
  const derived = derive(registry, 'demo/app');
  registry.onRequest(({ path, kind }) => {
    const bytes = kind === 'blob' ? registry.store.blobs.get(path.split('/').at(-1)!) : undefined;
    const isSection = bytes && Buffer.from(bytes.subarray(1, 5)).equals(Buffer.from('CLSE'));
    return isSection
      ? { kind: 'body', change: (body) => body.map((byte, i) => (i === 99 ? byte ^ 1 : byte)) }
      : undefined;
  });
  const built = await buildImageIndex(derived.image, (await machine(t)).options);
  assert.deepEqual(built.layerOrigins, { scanned: 4, local: 0, registry: 0 });
});

test('a section that is said to be larger than its layer is not fetched', async (t) => {
  const { registry, image } = await registryWithImage(t);
  await pushIndex(image, (await machine(t)).options);
  const sections: string[] = [];
  for (const [name, { bytes }] of [...registry.store.manifests.get('demo/app')!]) {
    const artifact = JSON.parse(Buffer.from(bytes).toString());
    if (artifact.artifactType !== SECTION_ARTIFACT) continue;
    const [blob] = artifact.layers;
    sections.push(blob.digest);
    blob.size = 200 << 20;
    registry.store.manifests.get('demo/app')!.delete(name);
    registry.addManifest('demo/app', undefined, artifact);
  }
  assert.ok(sections.length > 0);
  registry.log.length = 0;
  const built = await buildImageIndex(derive(registry, 'demo/app').image, (await machine(t)).options);
  assert.deepEqual(built.layerOrigins, { scanned: 4, local: 0, registry: 0 });
  assert.ok(registry.log.some(({ path }) => path.includes('/referrers/')));
  assert.ok(!registry.log.some(({ path }) => sections.some((digest) => path.endsWith(digest))));
});

test('--index local and build ask no registry for sections', async (t) => {
  const { registry, image } = await registryWithImage(t);
  await pushIndex(image, (await machine(t)).options);
  const derived = derive(registry, 'demo/app');
  for (const index of ['local', 'build'] as const) {
    registry.log.length = 0;
    const built = await buildImageIndex(derived.image, { ...(await machine(t)).options, index });
    assert.equal(built.layerOrigins.scanned, 4);
    assert.equal(registry.log.filter(({ path }) => path.includes('/referrers/')).length, 0);
  }
});
