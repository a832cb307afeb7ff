import assert from 'node:assert/strict';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildImageIndex, createImageFs, createReceipt, openImage } from '../../src/index.js';
import { digestOf } from '../../src/reference/digest.js';
import { writePackedLayout } from '../support/layout-builder.js';
import { bundled, tempDir } from '../support/run-clip.js';
import { member, tar } from '../support/tar-builder.js';

test('the library opens an image with one call and reads it as a file system', async (t) => {
  const image = await openImage(bundled, { cacheDir: await tempDir(t) });
  t.after(() => image.close());
  const fs = createImageFs(image.reader);
  assert.match(await fs.readFile('/etc/os-release', 'utf8'), /^PRETTY_NAME="Debian/);
  assert.equal(image.origin, 'built');
});

test('an index that was built is found by its image, and its file opens as well', async (t) => {
  const options = { cacheDir: await tempDir(t) };
  const built = await buildImageIndex(bundled, options);
  for (const target of [bundled, built.path]) {
    const receipt = createReceipt();
    const image = await openImage(target, { ...options, observer: receipt, scanObserver: receipt.scan });
    assert.equal(image.index.identity, built.identity);
    assert.equal(receipt.toJSON().scan.inflates, 0);
    await image.close();
  }
});

test('where one layer fails the others are given up, their files closed', async (t) => {
  if (process.platform !== 'linux') return t.skip('looks into /proc');
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  const mediaType = 'application/vnd.oci.image.layer.v1.tar';
  const large = tar(member({ name: 'large' }, 'x'.repeat(40 << 20)));
  const small = tar(member({ name: 'small' }, 'y'.repeat(1 << 20)));
  writePackedLayout(layout, [
    { blob: large, diffId: digestOf(large), mediaType },
    { blob: small, diffId: digestOf(large), mediaType },
  ]);
  await assert.rejects(buildImageIndex(`oci:${layout}`, { cacheDir: dir }), { code: 'DIGEST_MISMATCH' });
  const open = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(layout);
    } catch {
      return false;
    }
  });
  assert.deepEqual(open, []);
});

test('a pin finds an index of any spacing in the store, and none is written that is another', async (t) => {
  const cacheDir = await tempDir(t);
  const fine = await buildImageIndex(bundled, { cacheDir, spacing: 512 << 10 });
  const usual = await buildImageIndex(bundled, { cacheDir });
  for (const { identity } of [fine, usual]) {
    const image = await openImage(bundled, { cacheDir, index: identity as `sha256:${string}` });
    assert.equal(image.index.identity, identity);
    await image.close();
  }
  const output = join(cacheDir, 'out.clip');
  const pinned = { cacheDir, output, index: fine.identity as `sha256:${string}` };
  await assert.rejects(buildImageIndex(bundled, pinned), { code: 'DIGEST_MISMATCH' });
  assert.ok(!existsSync(output));
  assert.equal((await buildImageIndex(bundled, { ...pinned, spacing: 512 << 10 })).path, output);
});

test('a media type that no index can carry is refused before any layer is scanned', async (t) => {
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  const plain = tar(member({ name: 'a' }, 'text'));
  const mediaType = `application/vnd.oci.image.layer.v1.tar; ${'x'.repeat(300)}`;
  writePackedLayout(layout, [{ blob: plain, diffId: digestOf(plain), mediaType }]);
  const receipt = createReceipt();
  const options = { cacheDir: dir, scanObserver: receipt.scan };
  await assert.rejects(buildImageIndex(`oci:${layout}`, options), { code: 'LIMIT' });
  assert.equal(receipt.toJSON().scan.inflates, 0);
});

test('an image whose reader cannot be closed is closed all the same', async (t) => {
  const image = await openImage(bundled, { cacheDir: await tempDir(t) });
  const closed: string[] = [];
  const closeIndex = image.index.close;
  image.reader.close = async () => {
    throw new Error('no more');
  };
  image.index.close = async () => {
    closed.push('index');
    await closeIndex();
  };
  await assert.rejects(image.close(), /no more/);
  assert.deepEqual(closed, ['index']);
});

test('an image that cannot be opened leaves no file open', async (t) => {
  if (process.platform !== 'linux') return t.skip('looks into /proc');
  const options = { cacheDir: await tempDir(t) };
  await buildImageIndex(bundled, options);
  const openIndexes = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).endsWith('.clip');
      } catch {
        return false;
      }
    });
  await assert.rejects(openImage(bundled, { ...options, remoteCache: 'gopher://cache' }), { code: 'USAGE' });
  assert.deepEqual(openIndexes(), []);
});

test('--index local builds nothing, a digest pins', async (t) => {
  const options = { cacheDir: await tempDir(t) };
  await assert.rejects(openImage(bundled, { ...options, index: 'local' }), { code: 'INDEX_NOT_FOUND' });
  const { identity } = await buildImageIndex(bundled, options);
  const pinned = await openImage(bundled, { ...options, index: identity as `sha256:${string}` });
  await pinned.close();
  const other = `sha256:${'0'.repeat(64)}` as const;
  await assert.rejects(openImage(bundled, { ...options, index: other }), { code: 'DIGEST_MISMATCH' });
});
