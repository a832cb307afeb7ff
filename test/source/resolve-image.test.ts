import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { openSource } from '../../src/source/open.js';
import { listPlatforms, resolveImage } from '../../src/source/resolve-image.js';
import type { ImageSource } from '../../src/source/source.js';
import { startTestRegistry, type TestRegistry } from '../support/registry.js';
import { addTestImage, makeTestImage, noise, type TestImage } from '../support/test-image.js';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

interface Setup {
  registry: TestRegistry;
  open(tag: string): Promise<ImageSource>;
  /** Adds an image and returns its descriptor in an index. */
  image(
    seed: number,
    platform: { os: string; architecture: string; variant?: string },
    named?: boolean,
  ): object;
  digests: Map<number, TestImage>;
}

async function setUp(t: TestContext): Promise<Setup> {
  const registry = await startTestRegistry();
  const digests = new Map<number, TestImage>();
  t.after(() => registry.stop());
  return {
    registry,
    digests,
    async open(tag) {
      const source = await openSource(parseImage(`${registry.host}/x:${tag}`), {
        connection: DEFAULT_CONNECTION,
        offline: false,
      });
      t.after(() => source.close());
      return source;
    },
    image(seed, platform, named = true) {
      const image = makeTestImage([noise(100, seed)], platform);
      digests.set(seed, image);
      addTestImage(registry, 'x', `image-${seed}`, image);
      const descriptor = { mediaType: MANIFEST, digest: image.manifestDigest, size: image.manifest.length };
      return named ? { ...descriptor, platform } : descriptor;
    },
  };
}

const index = (...manifests: object[]): object => ({ schemaVersion: 2, mediaType: INDEX, manifests });
const ATTESTATION = {
  mediaType: MANIFEST,
  digest: `sha256:${'e'.repeat(64)}`,
  size: 1,
  platform: { os: 'unknown', architecture: 'unknown' },
};

test('the platform chooses, through nested indexes, past attestations, with variants', async (t) => {
  const { registry, open, image, digests } = await setUp(t);
  const arm = index(
    image(1, { os: 'linux', architecture: 'arm', variant: 'v6' }),
    image(2, { os: 'linux', architecture: 'arm', variant: 'v7' }),
  );
  const nested = registry.addManifest('x', undefined, arm, INDEX);
  registry.addManifest(
    'x',
    'multi',
    index(
      ATTESTATION,
      { mediaType: INDEX, digest: nested, size: 1 },
      image(3, { os: 'linux', architecture: 'amd64' }),
      image(4, { os: 'windows', architecture: 'amd64' }),
    ),
    INDEX,
  );
  const source = await open('multi');
  const chosen: Record<string, number> = {
    'linux/amd64': 3,
    'linux/arm/v7': 2,
    'linux/arm/v8': 2,
    'linux/arm/v6': 1,
    'linux/arm64': 2,
    'windows/amd64': 4,
  };
  for (const [platform, seed] of Object.entries(chosen)) {
    const image = await resolveImage(source, { platform });
    assert.equal(image.manifestDigest, digests.get(seed)?.manifestDigest, platform);
    assert.equal(image.layers.length, image.diffIds.length);
    assert.equal(image.manifestMediaType, MANIFEST);
  }
  assert.deepEqual(await listPlatforms(source), [
    'linux/arm/v6',
    'linux/arm/v7',
    'linux/amd64',
    'windows/amd64',
  ]);
  await assert.rejects(resolveImage(source, { platform: 'linux/s390x' }), (error: unknown) => {
    assert.ok(isClipError(error, 'PLATFORM_NOT_FOUND'));
    assert.equal(error.exitStatus, 3);
    assert.match(error.hint ?? '', /linux\/arm\/v6, linux\/arm\/v7, linux\/amd64, windows\/amd64/);
    return true;
  });
});

test('a manifest without a platform in the index is chosen by its config, only where nothing else fits', async (t) => {
  const { registry, open, image, digests } = await setUp(t);
  const bare = image(1, { os: 'linux', architecture: 'riscv64' }, false);
  registry.addManifest('x', 'bare', index(bare, image(2, { os: 'linux', architecture: 'amd64' })), INDEX);
  const source = await open('bare');
  const digest = async (platform: string) => (await resolveImage(source, { platform })).manifestDigest;
  assert.equal(await digest('linux/riscv64'), digests.get(1)?.manifestDigest);
  assert.equal(await digest('linux/amd64'), digests.get(2)?.manifestDigest);
  assert.deepEqual(await listPlatforms(source), ['linux/riscv64', 'linux/amd64']);
});

test('an artifact beside an image, both without a platform, is passed over', async (t) => {
  const { registry, open, image, digests } = await setUp(t);
  const signature = { schemaVersion: 2, mediaType: MANIFEST, artifactType: 'application/sig', layers: [] };
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: ATTESTATION.digest, size: 2 };
  const artifact = registry.addManifest('x', undefined, { ...signature, config }, MANIFEST);
  const descriptor = { mediaType: MANIFEST, digest: artifact, size: 1 };
  const bare = image(1, { os: 'linux', architecture: 'amd64' }, false);
  registry.addManifest('x', 'mixed', index(descriptor, bare), INDEX);
  const source = await open('mixed');
  const platform = 'linux/amd64';
  assert.equal((await resolveImage(source, { platform })).manifestDigest, digests.get(1)?.manifestDigest);
  assert.deepEqual(await listPlatforms(source), ['linux/amd64']);
  registry.addManifest('x', 'alone', index(descriptor), INDEX);
  await assert.rejects(resolveImage(await open('alone'), { platform }), (error) =>
    isClipError(error, 'UNSUPPORTED'),
  );
});

test('a single image is taken whatever its platform, unless one is asked for', async (t) => {
  const { open, image, digests } = await setUp(t);
  image(1, { os: 'linux', architecture: 's390x' });
  const source = await open('image-1');
  const resolved = await resolveImage(source);
  assert.equal(resolved.manifestDigest, digests.get(1)?.manifestDigest);
  assert.equal(resolved.platform, 'linux/s390x');
  await assert.rejects(resolveImage(source, { platform: 'linux/amd64' }), (error) =>
    isClipError(error, 'PLATFORM_NOT_FOUND'),
  );
  assert.equal((await resolveImage(source, { platform: 'linux/s390x' })).platform, 'linux/s390x');
});

test('indexes that never end, or lead to too much, are refused', async (t) => {
  const { registry, open } = await setUp(t);
  let digest = registry.addManifest('x', undefined, index(), INDEX);
  for (let depth = 0; depth < 20; depth++) {
    digest = registry.addManifest('x', 'deep', index({ mediaType: INDEX, digest, size: 1 }), INDEX);
  }
  await assert.rejects(resolveImage(await open('deep')), (error) => isClipError(error, 'LIMIT'));
  const empty = registry.addManifest('x', undefined, index(), INDEX);
  const many = Array.from({ length: 500 }, () => ({ mediaType: INDEX, digest: empty, size: 1 }));
  registry.addManifest('x', 'wide', index(...many), INDEX);
  registry.log.length = 0;
  await assert.rejects(resolveImage(await open('wide')), (error) => isClipError(error, 'LIMIT'));
  assert.ok(registry.log.length < 100);
});

test('a config that does not fit its manifest is refused', async (t) => {
  const { registry, open } = await setUp(t);
  const one = makeTestImage([noise(10)]);
  const two = makeTestImage([noise(10), noise(20)]);
  const mixed = JSON.parse(Buffer.from(two.manifest).toString()) as { config: object };
  mixed.config = (JSON.parse(Buffer.from(one.manifest).toString()) as { config: object }).config;
  addTestImage(registry, 'x', 'one', one);
  registry.addManifest('x', 'mixed', mixed);
  await assert.rejects(resolveImage(await open('mixed')), (error: unknown) => {
    return isClipError(error, 'CORRUPT_IMAGE') && /2 layers and 1 diffIDs/.test(error.message);
  });
});

test('a wrong Content-Type does not matter; a registry that sends HTML is no image', async (t) => {
  const { registry, open, image } = await setUp(t);
  image(1, { os: 'linux', architecture: 'amd64' });
  registry.onRequest(({ kind }) =>
    kind === 'manifest' ? { kind: 'headers', headers: { 'content-type': 'text/plain' } } : undefined,
  );
  assert.equal((await resolveImage(await open('image-1'))).manifestMediaType, MANIFEST);
  registry.onRequest(() => ({
    kind: 'status',
    status: 200,
    headers: { 'content-type': 'text/html' },
    body: '<html>',
  }));
  await assert.rejects(resolveImage(await open('image-1')), (error) => isClipError(error, 'CORRUPT_IMAGE'));
});
