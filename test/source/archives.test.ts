import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { appendFile, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type ErrorCode, isClipError } from '../../src/errors.js';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { openTarStore } from '../../src/source/archive/tar-store.js';
import { openEngineImage } from '../../src/source/engine/engine-source.js';
import { openSource } from '../../src/source/open.js';
import { resolveImage } from '../../src/source/resolve-image.js';
import type { ImageSource } from '../../src/source/source.js';
import { missingPrograms, run } from '../support/docker-registry.js';
import { startEngine } from '../support/engine.js';
import { sha256 } from '../support/registry-store.js';
import { member, type SparseFile, type SparseForm, sparseMember, tar } from '../support/tar-builder.js';
import { collect, noise } from '../support/test-image.js';

const missing = missingPrograms('skopeo', 'umoci', 'tar', 'zstd');
const skip = missing === undefined ? false : `needs ${missing}`;

const open = (text: string): Promise<ImageSource> =>
  openSource(parseImage(text), { connection: DEFAULT_CONNECTION, offline: true });
const fails =
  (wanted: ErrorCode, hint = /./) =>
  (error: unknown) => {
    assert.ok(isClipError(error, wanted), String(error));
    assert.match(error.hint ?? '', hint);
    return true;
  };

async function workFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'clip-archive-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function makeLayout(folder: string): Promise<string> {
  const layout = join(folder, 'layout');
  const image = `${layout}:v1`;
  await run('umoci', ['init', '--layout', layout]);
  await run('umoci', ['new', '--image', image]);
  for (const seed of [1, 2]) {
    const file = join(folder, `file-${seed}`);
    await writeFile(file, noise(300_000 * seed, seed));
    await run('umoci', ['insert', '--rootless', '--image', image, file, `/data/${seed}`]);
  }
  return image;
}

/** Every layer's uncompressed bytes, read in ranges of an odd length. */
async function layersOf(source: ImageSource): Promise<Buffer[]> {
  const { layers, diffIds } = await resolveImage(source);
  const contents: Buffer[] = [];
  for (const [i, layer] of layers.entries()) {
    const parts: Buffer[] = [];
    for (let offset = 0; offset < layer.size; offset += 77_777) {
      const length = Math.min(77_777, layer.size - offset);
      parts.push(await collect(source.range(layer, { offset, length })));
    }
    const blob = Buffer.concat(parts);
    assert.equal(sha256(blob), layer.digest);
    assert.deepEqual(await collect(source.blob(layer)), blob);
    const plain = layer.mediaType.endsWith('gzip') ? gunzipSync(blob) : blob;
    assert.equal(sha256(plain), diffIds[i]);
    contents.push(plain);
  }
  return contents;
}

test('oci-archive and docker-archive give the layers of the layout, in place', { skip }, async (t) => {
  const folder = await workFolder(t);
  const layout = await makeLayout(folder);
  const wanted = await layersOf(await open(`oci:${layout}`));
  assert.equal(wanted.length, 2);
  const [oci, docker] = [join(folder, 'oci.tar'), join(folder, 'docker.tar')];
  await run('skopeo', ['copy', '--quiet', `oci:${layout}`, `oci-archive:${oci}:v1`]);
  await run('skopeo', ['copy', '--quiet', `oci:${layout}`, `docker-archive:${docker}:demo:v1`]);
  for (const text of [
    `oci-archive:${oci}:v1`,
    `oci-archive:${oci}`,
    `docker-archive:${docker}`,
    `docker-archive:${docker}:demo:v1`,
    `docker-archive:${docker}:@0`,
  ]) {
    const source = await open(text);
    assert.deepEqual(await layersOf(source), wanted, text);
    await source.close();
  }
  const saved = await resolveImage(await open(`docker-archive:${docker}`));
  const pinned = await open(`docker-archive:${docker}@${saved.manifestDigest}`);
  assert.deepEqual(await resolveImage(pinned), saved);
  await pinned.close();
  const a = await resolveImage(await open(`oci:${layout}`));
  const whole = await open(`oci-archive:${oci}`);
  assert.deepEqual(await resolveImage(whole), a);
  await whole.close();
  for (const [select, says] of [
    [':other:v1', /^there is no image "other:v1" in docker-archive:/],
    [':@7', / has no image number 7$/],
    [
      `@${sha256(Buffer.from('another'))}`,
      /^no image in docker-archive:.*@sha256:[0-9a-f]{64} has that digest$/,
    ],
  ] as const) {
    const missing = await open(`docker-archive:${docker}${select}`);
    await assert.rejects(resolveImage(missing), fails('NOT_FOUND', /demo:v1/));
    await assert.rejects(resolveImage(missing), { message: says });
    await missing.close();
  }
});

test('an old docker save archive, whose equal layers are links; a layer that is compressed', {
  skip,
}, async (t) => {
  const folder = await workFolder(t);
  const image = await makeLayout(folder);
  const [one, two] = (await layersOf(await open(`oci:${image}`))) as [Buffer, Buffer];
  const root = join(folder, 'saved');
  for (const name of ['a', 'b', 'c']) await mkdir(join(root, name), { recursive: true });
  await writeFile(join(root, 'a', 'layer.tar'), one);
  await symlink('../a/layer.tar', join(root, 'b', 'layer.tar'));
  await writeFile(join(root, 'c', 'layer.tar'), gzipSync(two));
  const diffIds = [one, one, two].map((bytes) => sha256(bytes));
  await writeFile(
    join(root, 'config.json'),
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: diffIds } }),
  );
  const layers = ['a', 'b', 'c'].map((name) => `${name}/layer.tar`);
  await writeFile(
    join(root, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: ['docker.io/library/demo:v1'], Layers: layers }]),
  );
  const archive = join(folder, 'saved.tar');
  await run('tar', ['-C', root, '-cf', archive, '.']);
  const source = await open(`docker-archive:${archive}:demo:v1`);
  assert.deepEqual(await layersOf(source), [one, one, two]);
  await source.close();
  await truncate(archive, 100_000);
  await assert.rejects(open(`docker-archive:${archive}`), fails('CORRUPT_TAR'));
});

for (const form of ['old', '0.0', '0.1', '1.0'] satisfies SparseForm[]) {
  test(`sparse members of an archive (${form}) have zeros in their holes, and take the place of older ones`, async (t) => {
    const [a, b] = [Buffer.from(noise(700, 1)), Buffer.from(noise(900, 2))];
    const files: SparseFile[] = [
      { name: 'none', size: 2000, runs: [] },
      { name: 'at-the-beginning', size: 2000, runs: [[0, a]] },
      { name: 'at-the-end', size: 2000, runs: [[1300, a]] },
      { name: 'whole', size: 700, runs: [[0, a]] },
      {
        name: 'several',
        size: 9000,
        runs: [
          [0, a],
          [1000, b],
          [5000, a],
        ],
      },
    ];
    const old = files.map(({ name, size }) => member({ name }, Buffer.alloc(size, 'x')));
    const path = join(await workFolder(t), 'x.tar');
    await writeFile(path, tar(...old, ...files.map((file) => sparseMember(form, file))));
    const store = await openTarStore(path);
    t.after(() => store.close());
    for (const { name, size, runs } of files) {
      const wanted = Buffer.alloc(size);
      for (const [at, bytes] of runs) bytes.copy(wanted, at);
      const file = (await store.open(name))!;
      assert.equal(file.size, size, name);
      for (let start = 0; start < size; start += 499) {
        const buffer = Buffer.alloc(1700, 'y');
        const count = await file.read(buffer, start);
        assert.deepEqual(buffer.subarray(0, count), wanted.subarray(start, start + 1700), `${name} ${start}`);
      }
      assert.equal(await file.read(Buffer.alloc(10), size), 0);
    }
  });
}

test('a layer that GNU tar stored sparse', { skip }, async (t) => {
  const folder = await workFolder(t);
  const layer = tar(
    member({ name: 'a' }, Buffer.from(noise(70_000))),
    member({ name: 'zeros' }, Buffer.alloc(1 << 20)),
    member({ name: 'b' }, Buffer.from(noise(70_000, 2))),
  );
  const rootfs = { type: 'layers', diff_ids: [sha256(layer)] };
  // GNU tar looks for holes only in what takes less of the disk than its size.
  const zeros = Buffer.alloc(4096);
  const file = join(folder, 'layer.tar');
  await writeFile(file, layer.subarray(0, layer.indexOf(zeros)));
  const end = layer.lastIndexOf(zeros) + zeros.length;
  await truncate(file, end);
  await appendFile(file, layer.subarray(end));
  await writeFile(join(folder, 'c.json'), JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }));
  const listing = [{ Config: 'c.json', RepoTags: null, Layers: ['layer.tar'] }];
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(listing));
  const archive = join(folder, 'saved.tar');
  const names = ['layer.tar', 'c.json', 'manifest.json'];
  await run('tar', ['-C', folder, '--posix', '-S', '--hole-detection=raw', '-cf', archive, ...names]);
  assert.ok((await readFile(archive)).length < 1 << 20);
  const source = await open(`docker-archive:${archive}`);
  assert.deepEqual(await layersOf(source), [layer]);
  await source.close();
});

test('a bare root file system tar is an image of one layer: plain, gzip, zstd', { skip }, async (t) => {
  const folder = await workFolder(t);
  await writeFile(join(folder, 'x'), noise(500_000));
  const tar = join(folder, 'root.tar');
  await run('tar', ['-C', folder, '-cf', tar, 'x']);
  const plain = await readFile(tar);
  await writeFile(`${tar}.gz`, gzipSync(plain));
  await run('zstd', ['-q', '-o', `${tar}.zst`, tar]);
  for (const [suffix, type] of [
    ['', ''],
    ['.gz', '+gzip'],
    ['.zst', '+zstd'],
  ]) {
    const source = await open(`tar:${tar}${suffix}`);
    const image = await resolveImage(source);
    assert.deepEqual(image.diffIds, [sha256(plain)]);
    assert.equal(image.layers[0]?.mediaType, `application/vnd.oci.image.layer.v1.tar${type}`);
    const file = await readFile(`${tar}${suffix}`);
    assert.equal(image.layers[0]?.digest, sha256(file));
    assert.deepEqual(await collect(source.blob(image.layers[0]!)), file);
    assert.equal(
      (await resolveImage(source, { platform: 'linux/s390x' })).manifestDigest,
      image.manifestDigest,
    );
    await source.close();
    // An index that exists reads without hashing the file again.
    const again = await open(`tar:${tar}${suffix}`);
    const range = { offset: 1000, length: 3000 };
    assert.deepEqual(await collect(again.range(image.layers[0]!, range)), file.subarray(1000, 4000));
    await again.close();
  }
});

test('what cannot be read says so', async (t) => {
  const folder = await workFolder(t);
  const file = join(folder, 'x.tar');
  for (const transport of ['oci-archive', 'docker-archive', 'tar']) {
    await assert.rejects(open(`${transport}:${file}`), fails('NOT_FOUND'));
  }
  await writeFile(file, gzipSync(Buffer.alloc(1024)));
  await assert.rejects(open(`oci-archive:${file}`), fails('USAGE', /--no-cache/));
  await writeFile(file, noise(2000));
  await assert.rejects(open(`docker-archive:${file}`), fails('CORRUPT_TAR'));
  await writeFile(file, Buffer.alloc(1024));
  await assert.rejects(open(`oci-archive:${file}`), fails('NOT_FOUND'));
  await assert.rejects(open('docker-daemon:debian'), fails('USAGE', /--no-cache/));
  await writeFile(file, Buffer.from('fd377a585a000000', 'hex'));
  await assert.rejects(open(`docker-archive:${file}`), fails('UNSUPPORTED', /unxz/));
  const bare = await open(`tar:${file}`);
  await assert.rejects(resolveImage(bare), fails('UNSUPPORTED', /unxz/));
  await bare.close();
  await writeFile(file, tar(member({ name: 'etc/passwd' }, 'root')));
  for (const kind of ['docker-archive', 'oci-archive']) {
    await assert.rejects(
      async () => resolveImage(await open(`${kind}:${file}`)),
      fails('NOT_FOUND', /tar:/),
      kind,
    );
  }
});

test('who gave the signal finds no listener of ours on it when the image is open', async (t) => {
  const cacheDir = await workFolder(t);
  const layer = tar(member({ name: 'file' }, 'bytes'));
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: [sha256(layer)] } }),
  );
  const listing = [{ Config: 'config.json', RepoTags: ['demo:v1'], Layers: ['layer.tar'] }];
  const archive = tar(
    member({ name: 'manifest.json' }, Buffer.from(JSON.stringify(listing))),
    member({ name: 'config.json' }, config),
    member({ name: 'layer.tar' }, layer),
  );
  const engine = await startEngine(join(cacheDir, 'docker.sock'));
  t.after(() => engine.stop());
  engine.images.set('demo:v1', { id: sha256(config), archive });
  const { signal } = new AbortController();
  const options = {
    connection: DEFAULT_CONNECTION,
    offline: false,
    spool: { cacheDir, quota: 1 << 20 },
    signal,
  };
  const input = () => Readable.from([archive]);
  const environment = { DOCKER_HOST: engine.host };
  for (const opened of [
    openSource(parseImage('docker-archive:-'), { ...options, input }),
    openEngineImage('demo:v1', { ...options, environment }),
  ]) {
    const source = await opened;
    assert.equal((await resolveImage(source)).diffIds[0], sha256(layer));
    await source.close();
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});
