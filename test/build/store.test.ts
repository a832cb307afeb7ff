import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openFoundStore } from '../../src/build/found-store.js';
import { openIndexStore } from '../../src/build/store.js';
import { boundIndexes } from '../../src/build/stored-indexes.js';
import { FORMAT_MAJOR, FORMAT_MINOR } from '../../src/format/limits.js';
import { silentObserver } from '../../src/observer.js';
import { findSpooled, rememberSpooled } from '../../src/source/archive/spool.js';
import { sha256 } from '../support/fake-image.js';
import { writeLayout } from '../support/layout-builder.js';
import { temporaryFolder } from '../support/reading.js';
import { clip } from '../support/run-clip.js';
import { member, tar } from '../support/tar-builder.js';

const digest = `sha256:${'ab'.repeat(32)}`;
const facts = { identity: digest, format: '1.0', spacing: 1 << 20 };

/** One of each small file that lies below a cache folder, and what reads it. */
async function fill(t: TestContext) {
  const cacheDir = temporaryFolder(t);
  const index = openIndexStore(cacheDir);
  const found = openFoundStore(cacheDir);
  const place = { cacheDir, quota: 1 << 20 };
  await index.remember('name', 'linux/amd64', digest);
  await index.sections.put(digest, 1 << 20, Buffer.from('section'));
  await found.put('repository', digest, { artifact: digest, facts, blobs: [] });
  await found.putPart(digest, 0, Buffer.from('part'));
  mkdirSync(join(cacheDir, 'spool', 'sha256', 'ab'), { recursive: true });
  rememberSpooled(place, 'archive', join(cacheDir, 'spool', 'sha256', 'ab', 'ab'.repeat(31)));
  const read = async () => [
    await index.recall('name', 'linux/amd64'),
    (await index.sections.get(digest, 1 << 20))?.length,
    (await found.get('repository', digest)) && 'found',
    (await found.part(digest, 0))?.length,
    findSpooled(place, 'archive'),
  ];
  const files = ['index/names', 'index/layers', 'index/found', 'index/found/parts', 'spool/names'].map(
    (folder) => {
      const names = readdirSync(join(cacheDir, folder), { withFileTypes: true }).filter((one) =>
        one.isFile(),
      );
      assert.equal(names.length, 1);
      return join(cacheDir, folder, names[0]!.name);
    },
  );
  assert.deepEqual(await read(), [digest, 7, 'found', 4, undefined]);
  return { files, read };
}

test('that there was no index is believed for five minutes, and not before it was said', async (t) => {
  const cacheDir = temporaryFolder(t);
  const found = openFoundStore(cacheDir);
  await found.put('repository', digest, 'none');
  assert.equal(await found.get('repository', digest), 'none');
  const [name] = readdirSync(join(cacheDir, 'index/found'));
  for (const minutes of [-6, 6]) {
    const none = Date.now() + minutes * 60_000;
    writeFileSync(join(cacheDir, 'index/found', name!), JSON.stringify({ none }));
    assert.equal(await found.get('repository', digest), undefined);
  }
});

test('pipes in the place of what is kept beside indexes are nothing, and are not waited for', async (t) => {
  const { files, read } = await fill(t);
  for (const file of files) {
    rmSync(file);
    execFileSync('mkfifo', [file]);
  }
  assert.deepEqual(await read(), Array(5).fill(undefined));
});

test('what is no file in the place of an index is passed over, and replaced by what is built', async (t) => {
  const dir = temporaryFolder(t);
  const cacheDir = join(dir, 'cache');
  writeLayout(join(dir, 'layout'), [tar(member({ name: 'file' }, 'content'))]);
  const cat = async () => {
    const done = await clip(['cat', `oci:${join(dir, 'layout')}`, '/file'], { cacheDir });
    assert.deepEqual([done.status, `${done.stdout}`], [0, 'content'], done.stderr);
  };
  await cat();
  const [index, section] = ['index', 'index/layers'].map((folder) => {
    const found = readdirSync(join(cacheDir, folder), { withFileTypes: true }).filter((one) => one.isFile());
    return join(cacheDir, folder, found[0]!.name);
  });
  const forms: ((path: string) => void)[] = [
    (path) => execFileSync('mkfifo', [path]),
    (path) => symlinkSync('/dev/zero', path),
    (path) => symlinkSync('nowhere', path),
    (path) => symlinkSync(path, path),
    (path) => symlinkSync('..', path),
  ];
  for (const put of forms) {
    for (const path of [index!, section!]) {
      rmSync(path);
      put(path);
    }
    await cat();
    for (const path of [index!, section!]) assert.ok(lstatSync(path).isFile(), `${put}`);
  }
});

test('files that are too long for what they should be are not read', async (t) => {
  const { files, read } = await fill(t);
  for (const file of files) truncateSync(file, 1024 ** 3 + 1);
  const before = process.memoryUsage().rss;
  assert.deepEqual(await read(), Array(5).fill(undefined));
  assert.ok(process.memoryUsage().rss - before < 64 << 20);
});

test('a record of an index that no registry would be believed is none', async (t) => {
  const store = openFoundStore(temporaryFolder(t));
  const blob = (size: number) => ({ mediaType: 'application/x', digest, size });
  for (const [sizes, isKnown] of [
    [[1 << 20, 5], true],
    [[-1], false],
    [[Number.MAX_SAFE_INTEGER], false],
    [Array(20).fill(1024 ** 3), false],
  ] as const) {
    await store.put('repository', digest, { artifact: digest, facts, blobs: sizes.map(blob) });
    assert.equal((await store.get('repository', digest)) !== undefined, isKnown, `${sizes}`);
  }
});

test('the index store is bounded: what was used longest ago goes first, and nothing that was used within the hour', async (t) => {
  const cacheDir = temporaryFolder(t);
  const store = openIndexStore(cacheDir);
  const digests = Array.from({ length: 10 }, (_, i) => `sha256:${sha256(Buffer.from(`${i}`))}`);
  const pathOf = (digest: string) =>
    join(cacheDir, 'index/layers', `${digest.replace(':', '-')}-1-v${FORMAT_MAJOR}.${FORMAT_MINOR}`);
  const there = () => digests.map((digest) => existsSync(pathOf(digest)));
  const bound = { quota: 5000, bytes: 1000, observer: silentObserver };
  for (const [i, digest] of digests.entries()) {
    await store.sections.put(digest, 1, Buffer.alloc(1000));
    utimesSync(pathOf(digest), 1e9 + i, 1e9 + i);
  }
  assert.ok(await store.sections.get(digests[0]!, 1), 'a use, which counts');
  boundIndexes(cacheDir, bound);
  assert.deepEqual(
    there(),
    digests.map((_, i) => i === 0 || i >= 7),
  );
  for (let i = 1; i < 7; i++) await store.sections.put(digests[i]!, 1, Buffer.alloc(1000));
  boundIndexes(cacheDir, { ...bound, bytes: 6000 });
  assert.deepEqual(
    there(),
    digests.map((_, i) => i < 7),
  );
  boundIndexes(cacheDir, { ...bound, quota: 0 });
  assert.ok(there()[1], 'without a disk cache there is no bound');
});

test('an index of the store that turns out to be damaged further in goes, and is built again', async (t) => {
  const cacheDir = await temporaryFolder(t);
  const layout = join(cacheDir, 'layout');
  writeLayout(layout, [tar(member({ name: 'motd' }, 'hello\n'))]);
  const cat = () => clip(['cat', `oci:${layout}`, '/motd'], { cacheDir });
  assert.equal((await cat()).status, 0);
  const folder = join(cacheDir, 'index');
  const path = join(folder, readdirSync(folder).find((name) => name.endsWith('.clip'))!);
  const whole = readFileSync(path);
  const told = new Set<string>();
  for (let at = whole.length - 1; at > whole.length / 2; at -= 61) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 1;
    writeFileSync(path, damaged);
    rmSync(join(folder, 'layers'), { recursive: true, force: true });
    const first = await cat();
    if (first.status === 0) continue;
    assert.equal(first.status, 6, first.stderr);
    assert.equal(existsSync(path), false);
    told.add(/^hint: (.*)$/m.exec(first.stderr)![1]!);
    const second = await cat();
    assert.deepEqual([second.status, second.stdout.toString()], [0, 'hello\n']);
    assert.ok(readFileSync(path).equals(whole));
  }
  assert.deepEqual([...told], ['run the command again: the damaged index is gone, and is built again']);
});
