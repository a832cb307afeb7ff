// Indexes that travel with the image: push, discovery, pull, and what each costs in requests.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { buildImageIndex } from '../../src/build/build-image-index.js';
import { pullIndex } from '../../src/build/pull-index.js';
import { pushIndex } from '../../src/build/push-index.js';
import { isClipError } from '../../src/errors.js';
import { INDEX_ARTIFACT } from '../../src/oci/index-artifact.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { openSource } from '../../src/source/open.js';
import { machine, registryWithImage } from '../support/travel.js';

const FILE = '/etc/debian_version';
const APIS = { api: undefined, tags: 'none' } as const;

for (const [name, referrers] of Object.entries(APIS)) {
  test(`one pushes, another reads without building (${name})`, async (t) => {
    const { registry, image, subject } = await registryWithImage(t, referrers && { referrers });
    const one = await machine(t);
    const pushed = await pushIndex(image, one.options);
    assert.equal(pushed.subject, subject);
    assert.ok(pushed.blobs.every((blob) => blob.uploaded));
    // The image's own index, and nothing under tags where the registry has the API.
    const tags = [...registry.store.manifests.get('demo/app')!.keys()].filter((key) => !key.includes(':'));
    assert.equal(tags.includes(`sha256-${subject.slice(7)}`), referrers === 'none');

    const other = await machine(t);
    registry.log.length = 0;
    const cold = await other.cat(image, FILE);
    assert.deepEqual([cold.text, cold.origin, cold.scans], ['12.15\n', 'registry', 0]);
    assert.equal(cold.identity, pushed.identity);
    assert.equal(cold.indexPath, pushed.reference);
    const asked = registry.log.map(({ path }) =>
      path.replace(/^\/v2\/demo\/app\//, '').replace(/[:/-].*/, ''),
    );
    const layers = new Set(registry.log.filter(({ kind }) => kind === 'blob').map(({ path }) => path));
    // Manifest, referrers (and the tag), artifact; head, sections of the layers that the path leads through; one span.
    const lists = referrers === 'none' ? ['referrers', 'manifests'] : ['referrers'];
    assert.deepEqual(asked.slice(0, 2 + lists.length), ['manifests', ...lists, 'manifests']);
    assert.equal(registry.log.length, 2 + lists.length + layers.size, 'no blob is asked for twice');

    // The next command asks what the tag stands for, and for nothing else.
    const warm = await other.cat(image, FILE);
    assert.deepEqual([warm.text, warm.origin, warm.requests], ['12.15\n', 'registry', 1]);
    // By digest it asks for nothing, and works without a network.
    const byDigest = `${registry.host}/demo/app@${subject}`;
    assert.equal((await other.cat(byDigest, FILE)).requests, 0);
    assert.equal((await other.cat(byDigest, FILE, { offline: true })).text, '12.15\n');
  });

  test(`pushing again sends nothing and doubles nothing (${name})`, async (t) => {
    const { registry, image, subject } = await registryWithImage(t, referrers && { referrers });
    const first = await pushIndex(image, (await machine(t)).options);
    const before = [...registry.store.manifests.get('demo/app')!.keys()].sort();
    const again = await pushIndex(image, (await machine(t)).options);
    assert.equal(again.reference, first.reference, 'the artifact is a function of the index');
    assert.equal(again.uploadedBytes, 0);
    assert.deepEqual([...registry.store.manifests.get('demo/app')!.keys()].sort(), before);
    const tag = registry.store.manifests.get('demo/app')!.get(`sha256-${subject.slice(7)}`);
    if (referrers === 'none')
      assert.equal(JSON.parse(Buffer.from(tag!.bytes).toString()).manifests.length, 1);
  });
}

test('where there is no index it is asked for once, and never when one is here', async (t) => {
  const { registry, image } = await registryWithImage(t);
  const { cat } = await machine(t);
  const lists = () => registry.log.filter(({ path }) => path.includes(`/referrers/`)).length;
  assert.equal((await cat(image, FILE)).origin, 'built');
  // One for the image; its two layers worth asking for are asked for too.
  const atFirst = lists();
  assert.ok(atFirst >= 1 && atFirst <= 4, `${atFirst}`);
  const again = await cat(image, FILE);
  assert.deepEqual([again.origin, again.requests, lists()], ['store', 1, atFirst]);
});

test('"there is none" is remembered: a command that may not build asks no second time', async (t) => {
  const { registry, image } = await registryWithImage(t);
  const { cat } = await machine(t);
  const noIndex = (error: unknown) => isClipError(error, 'INDEX_NOT_FOUND');
  await assert.rejects(cat(image, FILE, { index: 'local' }), noIndex);
  assert.equal(
    registry.log.filter(({ path }) => path.includes('/referrers/')).length,
    0,
    'local asks nobody',
  );
  registry.onRequest(({ kind }) => (kind === 'blob' ? { kind: 'status', status: 404 } : undefined));
  await assert.rejects(cat(image, FILE));
  const lists = () => registry.log.filter(({ path }) => /\/referrers\/.*clip.index/.test(path)).length;
  assert.equal(lists(), 1);
  await assert.rejects(cat(image, FILE));
  assert.equal(lists(), 1);
});

test('--index local and build take no index of a registry; a pin takes the one that is meant', async (t) => {
  const { image } = await registryWithImage(t);
  const one = await machine(t);
  const coarse = await buildImageIndex(image, { ...one.options, spacing: 4 << 20 });
  await pushIndex(coarse.path, one.options);
  const fine = await pushIndex(image, { ...(await machine(t)).options });
  assert.notEqual(fine.identity, coarse.identity);

  const other = await machine(t);
  await assert.rejects(other.cat(image, FILE, { index: 'local' }), (error: unknown) =>
    isClipError(error, 'INDEX_NOT_FOUND'),
  );
  for (const identity of [coarse.identity, fine.identity]) {
    const pinned = await other.cat(image, FILE, { index: identity as `sha256:${string}` });
    assert.deepEqual([pinned.origin, pinned.identity, pinned.text], ['registry', identity, '12.15\n']);
  }
  await assert.rejects(other.cat(image, FILE, { index: `sha256:${'0'.repeat(64)}` }), (error: unknown) =>
    isClipError(error, 'INDEX_NOT_FOUND'),
  );
  const built = await other.cat(image, FILE, { index: 'build' });
  assert.deepEqual([built.origin, built.scans], ['built', 3]);
});

test('an index of which the registry has lost a part is passed over by the next command, and the error says so', async (t) => {
  const { registry, image } = await registryWithImage(t);
  const pushed = await pushIndex(image, (await machine(t)).options);
  for (const { digest } of pushed.blobs.slice(1)) registry.store.blobs.delete(digest);
  const other = await machine(t);
  await assert.rejects(other.cat(image, FILE), (error: unknown) => {
    assert.ok(isClipError(error, 'CORRUPT_INDEX'), String(error));
    assert.match(error.message, /a part of the index beside the image is gone/);
    assert.match(error.hint ?? '', /run the command again/);
    return true;
  });
  const again = await other.cat(image, FILE);
  assert.deepEqual([again.text, again.origin], ['12.15\n', 'built']);
});

test('of several indexes of one format the smallest digest is taken, whoever pushed first', async (t) => {
  const { image, registry } = await registryWithImage(t, { referrers: { filter: false, pageSize: 1 } });
  const { options } = await machine(t);
  const pushed = [];
  for (const spacing of [4 << 20, 2 << 20, 1 << 20]) {
    const built = await buildImageIndex(image, { ...options, spacing });
    pushed.push(await pushIndex(built.path, options));
  }
  const [smallest] = pushed.map(({ reference }) => reference).sort();
  const seen = await (await machine(t)).cat(image, FILE);
  assert.equal(seen.indexPath, smallest);
  // Three pages of one each, in an unfiltered list.
  assert.ok(registry.log.filter(({ path }) => path.includes('from=')).length >= 2);
});

test('pages of a list whose URLs have commas are followed', async (t) => {
  const { image, registry, subject } = await registryWithImage(t, {
    referrers: { filter: true, pageSize: 1 },
  });
  const { options } = await machine(t);
  const pushed = [];
  for (const spacing of [4 << 20, 2 << 20]) {
    const built = await buildImageIndex(image, { ...options, spacing });
    pushed.push((await pushIndex(built.path, options)).reference.split('@')[1]);
  }
  registry.onRequest(({ path }) =>
    path.includes('/referrers/') && !path.includes('from=')
      ? { kind: 'headers', headers: { link: `<${path}&from=1&last=a,b>; rel="next"` } }
      : undefined,
  );
  const source = await openSource(parseImage(image), { connection: options.connection, offline: false });
  t.after(() => source.close());
  const listed = await source.referrers!(subject, INDEX_ARTIFACT);
  assert.deepEqual(listed.map(({ digest }) => digest).sort(), pushed.sort());
});

test('pull: the file is the one that was built, but for its hint; into the store it is found', async (t) => {
  const { image } = await registryWithImage(t);
  const one = await machine(t);
  const built = await buildImageIndex(image, one.options);
  await pushIndex(built.path, one.options);
  const other = await machine(t);
  const output = join(other.options.cacheDir, 'pulled.clip');
  const pulled = await pullIndex(image, { ...other.options, output });
  assert.deepEqual(readFileSync(output), readFileSync(built.path));
  assert.equal(pulled.identity, built.identity);
  await pullIndex(image, other.options);
  const seen = await other.cat(image, FILE, { index: 'local' });
  assert.deepEqual([seen.origin, seen.requests <= 2], ['store', true]);
});

test('pull of an image without an index is INDEX_NOT_FOUND and leaves nothing', async (t) => {
  const { image } = await registryWithImage(t);
  await assert.rejects(pullIndex(image, (await machine(t)).options), (error: unknown) =>
    isClipError(error, 'INDEX_NOT_FOUND'),
  );
});

test('push: a repository without the image is refused before anything is sent', async (t) => {
  const { image, registry } = await registryWithImage(t);
  const { options } = await machine(t);
  const built = await buildImageIndex(image, options);
  registry.log.length = 0;
  const elsewhere = pushIndex(built.path, { ...options, image: `${registry.host}/demo/other:1` });
  await assert.rejects(elsewhere, (error: unknown) => isClipError(error, 'NOT_FOUND'));
  assert.deepEqual(
    registry.log.map(({ method }) => method),
    ['HEAD'],
  );
});

test('push: a registry that refuses HEAD is asked by GET for the manifest', async (t) => {
  const { image, registry } = await registryWithImage(t);
  const { options } = await machine(t);
  const built = await buildImageIndex(image, options);
  for (const status of [403, 405]) {
    registry.onRequest(({ method }) => (method === 'HEAD' ? { kind: 'status', status } : undefined));
    const pushed = await pushIndex(built.path, options);
    assert.ok(pushed.blobs.every(({ digest }) => registry.store.blobs.has(digest)));
    const elsewhere = pushIndex(built.path, { ...options, image: `${registry.host}/demo/other:1` });
    await assert.rejects(elsewhere, (error: unknown) => isClipError(error, 'NOT_FOUND'));
  }
  registry.onRequest(() => ({ kind: 'status', status: 403, body: '{"errors":[{"code":"DENIED"}]}' }));
  await assert.rejects(pushIndex(built.path, options), (error: unknown) => {
    assert.ok(isClipError(error, 'DENIED'), String(error));
    assert.match(error.message, /access denied: DENIED$/);
    return true;
  });
});

test('push with a token asks for pull,push once', async (t) => {
  const { image, registry } = await registryWithImage(t, { auth: { kind: 'token' } });
  const { options } = await machine(t);
  const built = await buildImageIndex(image, options);
  const before = registry.auth.issued;
  await pushIndex(built.path, options);
  assert.ok(registry.auth.issued - before <= 2, `${registry.auth.issued - before} tokens`);
});

test('a registry that refuses a blob in one piece gets it in chunks', async (t) => {
  const { image, registry } = await registryWithImage(t);
  const { options } = await machine(t);
  const built = await buildImageIndex(image, options);
  registry.onRequest(({ method, path }) =>
    method === 'PUT' && path.includes('/uploads/') && !registry.log.some((entry) => entry.method === 'PATCH')
      ? { kind: 'status', status: 413 }
      : undefined,
  );
  const pushed = await pushIndex(built.path, options);
  assert.ok(pushed.blobs.every(({ digest }) => registry.store.blobs.has(digest)));
  assert.ok(registry.log.some(({ method }) => method === 'PATCH'));
});

test('a registry that fails in between: the upload is begun anew', async (t) => {
  const { image, registry } = await registryWithImage(t);
  const { options } = await machine(t, {
    connection: { ...(await machine(t)).options.connection, retryDelay: 5 },
  });
  const built = await buildImageIndex(image, options);
  let puts = 0;
  registry.onRequest(({ method, path }) =>
    method === 'PUT' && path.includes('/uploads/') && ++puts === 1
      ? { kind: 'status', status: 503 }
      : undefined,
  );
  const pushed = await pushIndex(built.path, options);
  assert.ok(pushed.blobs.every(({ digest }) => registry.store.blobs.has(digest)));
});

test('six who push different indexes at the same time to a registry without the API: all are listed', async (t) => {
  const { image, registry, subject } = await registryWithImage(t, { referrers: 'none' });
  const { options } = await machine(t);
  const paths: string[] = [];
  for (const spacing of [1, 2, 3, 4, 5, 6]) {
    const output = join(options.cacheDir, `${spacing}.clip`);
    await buildImageIndex(image, { ...options, spacing: spacing << 20, output });
    paths.push(output);
  }
  const pushed = await Promise.all(paths.map((path) => pushIndex(path, { ...options, image })));
  const tag = registry.store.manifests.get('demo/app')!.get(`sha256-${subject.slice(7)}`)!;
  const listed = JSON.parse(Buffer.from(tag.bytes).toString()).manifests as { digest: string }[];
  assert.deepEqual(
    listed.map(({ digest }) => digest).sort(),
    pushed.map(({ reference }) => reference.slice(reference.indexOf('@') + 1)).sort(),
  );
});

test('what others wrote into the list under the tag stays as it is', async (t) => {
  const { image, registry, subject } = await registryWithImage(t, { referrers: 'none' });
  const type = 'application/vnd.oci.image.index.v1+json';
  const tag = `sha256-${subject.slice(7)}`;
  const foreign = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: `sha256:${'1'.repeat(64)}`,
    size: 100,
    data: 'e30=',
    platform: { architecture: 'amd64', os: 'windows', 'os.version': '10', 'os.features': ['win32k'] },
    artifactType: 'application/x.test',
    'x.test.unknown': { a: [null, 1] },
  };
  const document = {
    schemaVersion: 2,
    mediaType: type,
    artifactType: 'application/x.list',
    manifests: [foreign],
    subject: { mediaType: foreign.mediaType, digest: subject, size: 1 },
    annotations: { 'x.test.note': 'kept' },
    'x.test.unknown': 'kept',
  };
  registry.addManifest('demo/app', tag, document, type);
  const pushed = await pushIndex(image, (await machine(t)).options);
  const stored = registry.store.manifests.get('demo/app')!.get(tag)!;
  const { manifests, ...rest } = JSON.parse(Buffer.from(stored.bytes).toString());
  const { manifests: before, ...others } = document;
  assert.deepEqual(rest, others);
  assert.deepEqual(manifests.slice(0, -1), before);
  assert.equal(manifests.at(-1).digest, pushed.reference.split('@')[1]);
});

test('a list under the tag that is nested too deeply to be written again is told as corrupt', async (t) => {
  const { image, registry, subject } = await registryWithImage(t, { referrers: 'none' });
  const type = 'application/vnd.oci.image.index.v1+json';
  const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const document = Buffer.from(`{"schemaVersion":2,"mediaType":"${type}","manifests":[],"x":${nested}}`);
  registry.addManifest('demo/app', `sha256-${subject.slice(7)}`, document, type);
  await assert.rejects(pushIndex(image, (await machine(t)).options), (error) =>
    isClipError(error, 'CORRUPT_IMAGE'),
  );
});
