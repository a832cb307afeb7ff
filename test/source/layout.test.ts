import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ErrorCode, isClipError } from '../../src/errors.js';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { openSource } from '../../src/source/open.js';
import { resolveImage } from '../../src/source/resolve-image.js';
import type { ImageSource } from '../../src/source/source.js';
import { sha256 } from '../support/registry-store.js';
import { collect, makeTestImage, noise, type TestImage } from '../support/test-image.js';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const ONE = makeTestImage([noise(700_000, 3)]);
const TWO = makeTestImage([noise(50, 4)], { os: 'linux', architecture: 'arm64' });

async function layout(t: TestContext, index: object, images: TestImage[] = [ONE, TWO]): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'clip-layout-'));
  t.after(() => rm(path, { recursive: true }));
  await mkdir(join(path, 'blobs', 'sha256'), { recursive: true });
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(path, 'index.json'), JSON.stringify(index));
  for (const { manifest, config, layers } of images) {
    for (const bytes of [manifest, config, ...layers.map((layer) => layer.bytes)]) await blob(path, bytes);
  }
  return path;
}

async function blob(path: string, bytes: Uint8Array): Promise<string> {
  const digest = sha256(bytes);
  await writeFile(join(path, 'blobs', 'sha256', digest.slice(7)), bytes);
  return digest;
}

const entry = (image: TestImage, name?: string): object => ({
  mediaType: MANIFEST,
  digest: image.manifestDigest,
  size: image.manifest.length,
  ...(name === undefined ? {} : { annotations: { 'org.opencontainers.image.ref.name': name } }),
});
const index = (...manifests: object[]): object => ({ schemaVersion: 2, manifests });
const open = (text: string): Promise<ImageSource> =>
  openSource(parseImage(text), { connection: DEFAULT_CONNECTION, offline: true });
const fails =
  (wanted: ErrorCode, hint = /./) =>
  (error: unknown) => {
    assert.ok(isClipError(error, wanted), String(error));
    assert.match(error.hint ?? '', hint);
    return true;
  };

test('an image by tag, by digest, by number, or the only one', async (t) => {
  const path = await layout(t, index(entry(ONE, 'v1'), entry(TWO, 'team/app:v2')));
  const digest = async (text: string) => (await resolveImage(await open(text))).manifestDigest;
  assert.equal(await digest(`oci:${path}:v1`), ONE.manifestDigest);
  assert.equal(await digest(`oci:${path}:team/app:v2`), TWO.manifestDigest);
  assert.equal(await digest(`oci:${path}:@1`), TWO.manifestDigest);
  assert.equal(await digest(`oci:${path}@${ONE.manifestDigest}`), ONE.manifestDigest);
  const single = await layout(t, index(entry(TWO)));
  assert.equal(await digest(`oci:${single}`), TWO.manifestDigest);
});

test('blobs and ranges of them are read from the file', async (t) => {
  const source = await open(`oci:${await layout(t, index(entry(ONE, 'v1')))}`);
  const { descriptor, bytes } = ONE.layers[0]!;
  let fetched = 0;
  const observer = {
    emit(event: { type: string; bytes?: number }) {
      fetched += event.bytes ?? 0;
    },
  };
  assert.deepEqual(await collect(source.blob(descriptor, { observer })), Buffer.from(bytes));
  assert.equal(fetched, bytes.length);
  assert.deepEqual(
    await collect(source.blob(descriptor, { offset: 699_000 })),
    Buffer.from(bytes.subarray(699_000)),
  );
  for (const [offset, length] of [
    [0, 1],
    [300_000, 300_000],
    [699_999, 1],
    [5, 0],
  ] as const) {
    assert.deepEqual(
      await collect(source.range(descriptor, { offset, length })),
      Buffer.from(bytes.subarray(offset, offset + length)),
    );
  }
  await assert.rejects(
    collect(source.range(descriptor, { offset: 699_999, length: 2 })),
    fails('CORRUPT_INDEX'),
  );
});

test('an index.json of platforms without names is one image', async (t) => {
  const platform = (image: TestImage, architecture: string) => ({
    ...entry(image),
    platform: { os: 'linux', architecture },
  });
  const path = await layout(t, index(platform(ONE, 'amd64'), platform(TWO, 'arm64')));
  const digest = async (text: string) =>
    (await resolveImage(await open(`oci:${path}`), { platform: text })).manifestDigest;
  assert.equal(await digest('linux/arm64'), TWO.manifestDigest);
  assert.equal(await digest('linux/amd64'), ONE.manifestDigest);
});

test('nested indexes', async (t) => {
  const path = await layout(t, index());
  const nested = Buffer.from(
    JSON.stringify({
      ...index({ ...entry(TWO), platform: { os: 'linux', architecture: 'arm64' } }),
      mediaType: INDEX,
    }),
  );
  const digest = await blob(path, nested);
  await writeFile(
    join(path, 'index.json'),
    JSON.stringify(index({ mediaType: INDEX, digest, size: nested.length })),
  );
  const resolved = await resolveImage(await open(`oci:${path}`), { platform: 'linux/arm64' });
  assert.equal(resolved.manifestDigest, TWO.manifestDigest);
});

test('what is not there is named, with what there is', async (t) => {
  const path = await layout(t, index(entry(ONE, 'v1'), entry(TWO, 'v2')));
  await assert.rejects(open(`oci:${path}-none`), fails('NOT_FOUND'));
  await assert.rejects(open(`oci:${path}/index.json`), fails('NOT_FOUND', /oci-archive/));
  await assert.rejects(open(`oci:${path}/blobs`), fails('CORRUPT_IMAGE', /skopeo/));
  for (const name of ['', ':v3', ':@2']) {
    await assert.rejects(resolveImage(await open(`oci:${path}${name}`)), fails('NOT_FOUND', /v1, v2/));
  }
  const missing = await layout(t, index(entry(ONE, 'v1')), []);
  await assert.rejects(resolveImage(await open(`oci:${missing}`)), fails('NOT_FOUND'));
  const none = await layout(t, index());
  await assert.rejects(resolveImage(await open(`oci:${none}`)), fails('NOT_FOUND'));
});

test('a blob that may not be opened is named by its path', async (t) => {
  const path = await layout(t, index(entry(ONE, 'v1')));
  const { descriptor } = ONE.layers[0]!;
  const file = join(path, 'blobs', 'sha256', descriptor.digest.slice(7));
  await rm(file);
  await symlink(file, file);
  const source = await open(`oci:${path}`);
  await assert.rejects(collect(source.blob(descriptor)), (error) => {
    assert.ok(isClipError(error, 'IO'));
    assert.equal(error.hint, `check that ${file} is a file, and its permissions`);
    return true;
  });
});

test('damaged layouts are found out', async (t) => {
  const path = await layout(t, index(entry(ONE, 'v1')));
  const blobs = join(path, 'blobs', 'sha256');
  const source = await open(`oci:${path}`);
  const { descriptor } = ONE.layers[0]!;
  await writeFile(join(blobs, descriptor.digest.slice(7)), noise(10));
  await assert.rejects(collect(source.blob(descriptor)), fails('CORRUPT_IMAGE'));
  await writeFile(join(blobs, ONE.manifestDigest.slice(7)), Buffer.concat([ONE.manifest, Buffer.from('\n')]));
  await assert.rejects(resolveImage(source), fails('DIGEST_MISMATCH'));
  await writeFile(join(path, 'index.json'), 'no');
  await assert.rejects(resolveImage(source), fails('CORRUPT_IMAGE'));
  const evil = { mediaType: MANIFEST, digest: 'sha256:../../../../etc/passwd', size: 1 };
  await writeFile(join(path, 'index.json'), JSON.stringify(index(evil)));
  await assert.rejects(resolveImage(source), fails('CORRUPT_IMAGE'));
});
