// Layers that are not distributed with the image: read from the urls of their descriptor, for a layout as for a registry.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ErrorCode, isClipError } from '../../src/errors.js';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';
import type { Descriptor } from '../../src/oci/descriptor.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { openSource } from '../../src/source/open.js';
import type { ImageSource } from '../../src/source/source.js';
import { writeLayout } from '../support/layout-builder.js';
import { startTestRegistry, type TestRegistry } from '../support/registry.js';
import { sha256 } from '../support/registry-store.js';
import { clip, tempDir } from '../support/run-clip.js';
import { member, tar } from '../support/tar-builder.js';
import { collect, noise } from '../support/test-image.js';

interface World {
  dir: string;
  layout: string;
  bytes: Buffer;
  descriptor: Descriptor;
  /** Has the layer's blob, and counts who asks. */
  elsewhere: TestRegistry;
  /** Where it is there. */
  url: string;
}

/** A layout whose only layer lies at `urls` of another server; `urls` is made from where the layer really is. */
async function world(t: TestContext, urls = (real: string): string[] => [real]): Promise<World> {
  const dir = await tempDir(t);
  const elsewhere = await startTestRegistry();
  t.after(() => elsewhere.stop());
  const layout = join(dir, 'layout');
  writeLayout(layout, [tar(member({ name: 'far' }, Buffer.from(noise(200_000))))], { compression: 'plain' });
  const blobs = join(layout, 'blobs/sha256');
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  const manifest = JSON.parse(readFileSync(join(blobs, index.manifests[0].digest.slice(7)), 'utf8'));
  const layer = manifest.layers[0];
  const bytes = readFileSync(join(blobs, layer.digest.slice(7)));
  const url = `${elsewhere.origin}/v2/far/away/blobs/${elsewhere.addBlob(bytes)}`;
  layer.mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar';
  layer.urls = urls(url);
  const changed = Buffer.from(JSON.stringify(manifest));
  rmSync(join(blobs, layer.digest.slice(7)));
  writeFileSync(join(blobs, sha256(changed).slice(7)), changed);
  index.manifests[0].digest = sha256(changed);
  index.manifests[0].size = changed.length;
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
  return { dir, layout, bytes, descriptor: layer, elsewhere, url };
}

async function open(t: TestContext, text: string, options: object = {}): Promise<ImageSource> {
  const { offline = false, ...connection } = options as { offline?: boolean };
  const source = await openSource(parseImage(text), {
    connection: { ...DEFAULT_CONNECTION, plainHttp: true, tries: 1, ...connection },
    offline,
  });
  t.after(() => source.close());
  return source;
}

const fails = (wanted: ErrorCode, message: RegExp, hint: RegExp) => (error: unknown) => {
  assert.ok(isClipError(error, wanted), String(error));
  assert.match(error.message, message);
  assert.match(error.hint ?? '', hint);
  return true;
};

test('a layer that a layout does not hold is read from its urls, whole and in ranges', async (t) => {
  const { layout, descriptor, bytes, elsewhere } = await world(t);
  const source = await open(t, `oci:${layout}`);
  assert.equal(elsewhere.log.length, 0);
  assert.ok((await collect(source.blob(descriptor))).equals(bytes));
  const range = await collect(source.range(descriptor, { offset: 1000, length: 50 }));
  assert.ok(range.equals(bytes.subarray(1000, 1050)));
  assert.deepEqual(
    elsewhere.log.map(({ range }) => range),
    [undefined, 'bytes=1000-1049'],
  );
});

test('what the layout holds is read from there, and a layer without urls is missing', async (t) => {
  const { layout, descriptor, bytes, elsewhere } = await world(t);
  const source = await open(t, `oci:${layout}`);
  const { urls: _, ...homeless } = descriptor;
  await assert.rejects(collect(source.blob(homeless)), fails('NOT_FOUND', /is missing/, /copy/));
  writeFileSync(join(layout, 'blobs/sha256', descriptor.digest.slice(7)), bytes);
  assert.ok((await collect(source.blob(descriptor))).equals(bytes));
  assert.equal(elsewhere.log.length, 0);
});

test('the urls are tried in their order; the error tells of each why it was of no use', async (t) => {
  const { layout, descriptor, bytes, url, elsewhere } = await world(t, (real) => [
    'file:///etc/passwd',
    real.replace(/[0-9a-f]{64}$/, '0'.repeat(64)),
    real,
  ]);
  const source = await open(t, `oci:${layout}`);
  assert.ok((await collect(source.blob(descriptor))).equals(bytes));
  elsewhere.store.blobs.clear();
  const secret = url.replace('http://', 'http://user:secret@');
  const lost = { ...descriptor, urls: [...descriptor.urls!.slice(0, 2), `${secret}?sig=secret`, 'no url'] };
  await assert.rejects(collect(source.blob(lost)), (error: Error) => {
    assert.doesNotMatch(error.message, /secret/);
    const host = new URL(url).host.replaceAll('.', '\\.');
    const told = new RegExp(
      `is not in oci:.*file:///etc/passwd is no HTTPS URL; http://${host}/\\S*0{64} answered with status 404; ` +
        `http://${host}/\\S*sig=REDACTED answered with status 404; and 1 more$`,
    );
    return fails('NOT_FOUND', told, /./)(error);
  });
});

test('a host that cannot be reached is passed over', async (t) => {
  const { layout, descriptor, bytes, url } = await world(t);
  const source = await open(t, `oci:${layout}`);
  const closed = 'http://127.0.0.1:1/layer';
  assert.ok((await collect(source.blob({ ...descriptor, urls: [closed, url] }))).equals(bytes));
  const lost = { ...descriptor, urls: [closed] };
  await assert.rejects(collect(source.blob(lost)), fails('NOT_FOUND', /127\.0\.0\.1:1\/layer: /, /./));
});

test('without TLS a layer is read only where that is asked for, and not at all offline', async (t) => {
  const { layout, descriptor, elsewhere } = await world(t);
  const plain = await open(t, `oci:${layout}`, { plainHttp: false });
  await assert.rejects(
    collect(plain.blob(descriptor)),
    fails('NOT_FOUND', /http:\S+ is not HTTPS/, /--plain-http/),
  );
  const offline = await open(t, `oci:${layout}`, { offline: true });
  await assert.rejects(collect(offline.blob(descriptor)), fails('OFFLINE', /only at its urls/, /--offline/));
  assert.equal(elsewhere.log.length, 0);
});

test('a registry that does not have the layer is passed over for its urls', async (t) => {
  const { layout, descriptor, bytes } = await world(t);
  const registry = await startTestRegistry();
  t.after(() => registry.stop());
  writeFileSync(join(layout, 'blobs/sha256', descriptor.digest.slice(7)), bytes);
  await registry.addLayout('with/windows', layout, 'latest');
  registry.store.blobs.delete(descriptor.digest);
  const source = await open(t, `${registry.host}/with/windows:latest`);
  assert.ok((await collect(source.blob(descriptor))).equals(bytes));
  const strict = await open(t, `${registry.host}/with/windows:latest`, { plainHttp: false });
  await assert.rejects(
    collect(strict.blob(descriptor)),
    fails('NOT_FOUND', /is not in 127\S+\/with\/windows, and none .* is not HTTPS/, /--plain-http/),
  );
});

test('the program reads such an image, and holds the layer to its digest', async (t) => {
  const { layout, dir, elsewhere, descriptor, bytes } = await world(t);
  const run = (...args: string[]) => clip(args, { cacheDir: join(dir, 'cache') });
  const image = `oci:${layout}`;
  const found = await run('cat', image, '/far', '--plain-http');
  assert.equal(found.status, 0, found.stderr);
  assert.ok(found.stdout.equals(Buffer.from(noise(200_000))));
  const archive = join(dir, 'layout.tar');
  execFileSync('tar', ['-cf', archive, '-C', layout, '.']);
  assert.equal((await run('cat', `oci-archive:${archive}`, '/far', '--plain-http')).status, 0);
  elsewhere.store.blobs.set(descriptor.digest, Buffer.alloc(bytes.length));
  const lied = await clip(['index', image, '--plain-http', '-o', join(dir, 'x.clip')], {
    cacheDir: join(dir, 'other'),
  });
  assert.equal(lied.status, 6, lied.stderr);
});
