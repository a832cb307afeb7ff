import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { openSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { bundled, clip, receiptOf, root, tempDir } from '../support/run-clip.js';

test('cache info, verify, prune and clear', async (t) => {
  const cacheDir = await tempDir(t);
  const json = async (...args: string[]) => {
    const { stdout, status } = await clip(['cache', ...args, '--json'], { cacheDir });
    return { status, ...JSON.parse(stdout.toString()) };
  };
  assert.equal((await json('info')).entries, 0);
  await clip(['cat', bundled, '/etc/os-release'], { cacheDir });
  await clip(['cat', bundled, '/usr/bin/bash'], { cacheDir });
  const before = await json('info');
  assert.ok(before.entries >= 1 && before.bytes > 0 && before.newest >= before.oldest);

  const folder = join(cacheDir, 'spans/sha256');
  const [prefix = ''] = readdirSync(folder);
  const [name = ''] = readdirSync(join(folder, prefix));
  writeFileSync(join(folder, prefix, name), 'damaged');
  const verified = await json('verify');
  assert.equal(verified.status, 6);
  assert.deepEqual(verified.corrupt, [prefix + name]);
  assert.equal(verified.entries, before.entries - 1);
  assert.equal((await json('verify')).status, 0);

  const pruned = await json('prune', '--disk-cache', '1');
  assert.equal(pruned.entries, 0);
  assert.equal(pruned.removedEntries, before.entries - 1);

  await clip(['cat', bundled, '/etc/os-release'], { cacheDir });
  const cleared = await json('clear');
  assert.ok(cleared.removedEntries >= 1);
  assert.ok(!readdirSync(cacheDir).includes('spans'));
  assert.deepEqual(readdirSync(cacheDir), [], 'nothing is left');
  const again = await clip(['cat', bundled, '/etc/os-release', '--stats', 'json'], { cacheDir });
  assert.equal(again.status, 0);
  assert.ok(Number(receiptOf(again).inflates) >= 1);
});

test('indexes and copies of archives are shown, checked, bounded and cleared as spans are', async (t) => {
  const cacheDir = await tempDir(t);
  const cache = async (...args: string[]) => {
    const { stdout, status } = await clip(['cache', ...args, '--json'], { cacheDir });
    return { status, ...JSON.parse(stdout.toString()) };
  };
  const exported = await clip(['export', bundled], { cacheDir });
  const indexed = await clip(['index', 'tar:-'], { cacheDir, input: exported.stdout });
  assert.equal(indexed.status, 0, indexed.stderr);
  const path = indexed.stdout.toString().trim();
  const folders = { indexes: join(cacheDir, 'index'), spool: join(cacheDir, 'spool') };
  const info = await cache('info');
  assert.equal(info.spool.directory, folders.spool);
  assert.deepEqual([info.spool.entries, info.spool.bytes], [1, exported.stdout.length]);
  const files = readdirSync(folders.indexes, { recursive: true, withFileTypes: true });
  const sizes = files
    .filter((file) => file.isFile() && file.name !== 'usage')
    .map((file) => statSync(join(file.parentPath, file.name)).size);
  assert.equal(info.indexes.directory, folders.indexes);
  assert.equal(info.indexes.entries, sizes.length);
  assert.equal(
    info.indexes.bytes,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  assert.equal(info.totalBytes, info.bytes + info.indexes.bytes + info.spool.bytes);
  const { stdout } = await clip(['cache', 'info'], { cacheDir });
  assert.match(
    stdout.toString(),
    /\n\/.*\/index holds \d+ entries, .* of indexes, at most .*\n\/.*\/spool holds 1 entry, [0-9.]+ MiB of copies of archives, at most .*\n.* in all\n$/,
  );

  const sound = await cache('verify');
  assert.deepEqual([sound.status, sound.indexes.corrupt, sound.spool.corrupt], [0, [], []]);
  flip(path, statSync(path).size >> 1);
  const [section = ''] = readdirSync(join(folders.indexes, 'layers'));
  const damaged = join(folders.indexes, 'layers', section);
  flip(damaged, statSync(damaged).size >> 1);
  writeFileSync(join(folders.indexes, 'notes'), 'mine');
  const [name = ''] = readdirSync(join(folders.indexes, 'names'));
  writeFileSync(join(folders.indexes, 'names', name), 'no digest');
  const [copy = ''] = readdirSync(join(folders.spool, 'sha256'), {
    recursive: true,
    encoding: 'utf8',
  }).filter((file) => file.includes('/'));
  flip(join(folders.spool, 'sha256', copy), 1000);
  const verified = await cache('verify');
  assert.equal(verified.status, 6);
  assert.deepEqual(
    verified.indexes.corrupt.sort(),
    [basename(path), `layers/${section}`, `names/${name}`].sort(),
  );
  assert.deepEqual(verified.spool.corrupt, [copy.replace('/', '')]);
  assert.deepEqual([verified.spool.entries, verified.spool.removedEntries], [0, 1]);
  assert.equal((await cache('verify')).status, 0);

  await clip(['index', 'tar:-'], { cacheDir, input: exported.stdout });
  const recent = await cache('prune', '--disk-cache', '1');
  assert.equal(recent.spool.removedEntries, 1);
  assert.equal(recent.indexes.removedEntries, 0, 'an index that was used within the hour stays');
  for (const file of readdirSync(folders.indexes, { recursive: true, encoding: 'utf8' }))
    utimesSync(join(folders.indexes, file), 1e9, 1e9);
  const [kept = ''] = readdirSync(folders.indexes).filter((file) => file.endsWith('.clip'));
  await clip(['ls', join(folders.indexes, kept), '/'], { cacheDir });
  const pruned = await cache('prune', '--disk-cache', '1');
  assert.equal(pruned.indexes.entries, 1, 'what was read last is not old');
  assert.ok(pruned.indexes.removedEntries > 1);
  assert.ok(readdirSync(folders.indexes).includes(kept));

  await clip(['index', 'tar:-'], { cacheDir, input: exported.stdout });
  const cleared = await cache('clear');
  assert.equal(cleared.status, 0);
  assert.ok(cleared.indexes.removedEntries > 1);
  assert.equal(cleared.spool.removedBytes, exported.stdout.length);
  assert.deepEqual(readdirSync(cacheDir, { recursive: true, encoding: 'utf8' }).sort(), [
    'index',
    'index/notes',
  ]);
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 0xff;
  writeFileSync(path, bytes);
}

test('who reads and builds while others clear and prune gets every byte', async (t) => {
  const cacheDir = await tempDir(t);
  const archive = join(await tempDir(t), 'root.tar');
  const exported = await clip(['export', bundled], { cacheDir });
  writeFileSync(archive, exported.stdout);
  const wanted = (await clip(['cat', bundled, '/etc/os-release'], { cacheDir })).stdout.toString();
  let reading = true;
  async function disturb(...args: string[]) {
    while (reading) {
      const { status, stderr } = await clip(['cache', ...args], { cacheDir });
      assert.ok(status === 0 || /just now/.test(stderr), stderr);
    }
  }
  const disturbed = [disturb('clear'), disturb('prune', '--disk-cache', '1')];
  try {
    for (let i = 0; i < 3; i++) {
      for (const target of [bundled, `tar:${archive}`]) {
        const { status, stdout, stderr } = await clip(['cat', target, '/etc/os-release'], { cacheDir });
        assert.equal(status, 0, stderr);
        assert.equal(stdout.toString(), wanted);
      }
      const piped = await clip(['cat', 'tar:-', '/etc/os-release'], { cacheDir, input: exported.stdout });
      // What came through a pipe cannot be had again.
      if (/^clip: the copy of .* is gone: something emptied it \(NOT_FOUND\)\nhint: /.test(piped.stderr))
        continue;
      assert.equal(piped.status, 0, piped.stderr);
      assert.equal(piped.stdout.toString(), wanted);
    }
  } finally {
    reading = false;
    await Promise.all(disturbed);
  }
});

test('a damaged copy of an archive is made again from the archive, whatever of it is read first', async (t) => {
  const cacheDir = await tempDir(t);
  const archive = join(await tempDir(t), 'image.tar.gz');
  const layout = bundled.replace(/^oci:/, '');
  execFileSync('tar', ['-C', layout, '-czf', archive, '.']);
  const cat = (target: string, ...more: string[]) =>
    clip(['cat', target, '/etc/os-release', ...more], { cacheDir });
  const target = `oci-archive:${archive}`;
  const sound = await cat(target);
  assert.equal(sound.status, 0, sound.stderr);
  const copy = onlyCopy(cacheDir);
  const size = statSync(copy).size;
  const whole = readFileSync(copy);
  for (const [start, end] of [
    [size >> 4, size - (size >> 4)],
    [0, 512],
  ] as const) {
    for (const gone of [['spans'], ['spans', 'index']]) {
      for (const folder of gone) rmSync(join(cacheDir, folder), { recursive: true });
      writeFileSync(copy, Buffer.from(whole).fill(0xa5, start, end));
      const { status, stdout, stderr } = await cat(target);
      assert.equal(status, 0, stderr);
      assert.deepEqual(stdout, sound.stdout);
      assert.match(stderr, /warning: the copy of the archive .* in the cache was damaged: it is made again/);
      assert.deepEqual(readFileSync(copy), whole);
    }
  }
  const damaged = await cat(`oci-archive:${damage(archive)}`);
  assert.equal(damaged.status, 6, 'the archive itself');

  rmSync(cacheDir, { recursive: true });
  const piped = { cacheDir, input: whole };
  const index = (await clip(['index', 'oci-archive:-'], piped)).stdout.toString().trim();
  const blobs = join(layout, 'blobs/sha256');
  const layers = Buffer.from(whole);
  for (const blob of readdirSync(blobs).map((name) => readFileSync(join(blobs, name)))) {
    if (blob.length < 100_000) continue;
    const start = whole.indexOf(blob);
    layers.fill(0xa5, start, start + blob.length);
  }
  for (const bytes of [layers, Buffer.from(whole).fill(0xa5, size >> 4)]) {
    rmSync(join(cacheDir, 'spans'), { recursive: true, force: true });
    writeFileSync(onlyCopy(cacheDir), bytes);
    const lost = await cat(index);
    assert.equal(lost.status, 6, lost.stderr);
    assert.match(lost.stderr, /was damaged; it is removed \(DIGEST_MISMATCH\)\nhint: .*--source/);
    assert.equal((await cat(index)).status, 3);
    await clip(['cat', index, '/etc/os-release', '--source', 'oci-archive:-'], piped);
  }
  rmSync(onlyCopy(cacheDir));
  rmSync(join(cacheDir, 'spans'), { recursive: true });
  assert.equal((await cat(index)).status, 3);
  const again = await clip(['cat', index, '/etc/os-release', '--source', 'oci-archive:-'], piped);
  assert.deepEqual(again.stdout, sound.stdout);
  assert.deepEqual((await cat(index)).stdout, sound.stdout);
});

function onlyCopy(cacheDir: string): string {
  const folder = join(cacheDir, 'spool', 'sha256');
  const [prefix = ''] = readdirSync(folder);
  return join(folder, prefix, readdirSync(join(folder, prefix))[0] ?? '');
}

/** A copy of a gzip file that ends too early. */
function damage(path: string): string {
  const bytes = readFileSync(path);
  writeFileSync(`${path}.cut`, bytes.subarray(0, bytes.length >> 1));
  return `${path}.cut`;
}

test('where the store of indexes cannot be written, an image is read all the same, and nothing stays behind', async (t) => {
  const cacheDir = await tempDir(t);
  const temporary = await tempDir(t);
  writeFileSync(join(cacheDir, 'index'), 'a file where the folder should be');
  const env = { TMPDIR: temporary };
  const { status, stdout, stderr } = await clip(['cat', bundled, '/etc/os-release'], { cacheDir, env });
  assert.equal(status, 0, stderr);
  assert.match(stdout.toString(), /^PRETTY_NAME=/);
  assert.match(stderr, /^clip: warning: the index is built and not kept: cannot write .*\(IO\)\nhint: /);
  assert.deepEqual(readdirSync(temporary), []);
  const fleet = await clip(['bench', bundled, '--reads', '2'], { cacheDir, env });
  assert.equal(fleet.status, 0, fleet.stderr);
  const push = await clip(['push', bundled, 'localhost:1/x', '--offline'], { cacheDir, env });
  assert.match(push.stderr, /\(OFFLINE\)/);
  assert.deepEqual(readdirSync(temporary), []);
  const index = await clip(['index', bundled], { cacheDir, env });
  assert.equal(index.status, 1, 'who asks for an index wants to keep it');
  assert.deepEqual(readdirSync(temporary), []);
});

test('a read leaves no claim behind, wherever its bytes go', async (t) => {
  const cacheDir = await tempDir(t);
  const file = openSync(join(cacheDir, 'out'), 'w');
  const args = [join(root, 'bin/clip.js'), 'cat', bundled, '/etc/os-release'];
  const env = { ...process.env, CLIP_CACHE_DIR: cacheDir };
  assert.equal(spawnSync(process.execPath, args, { env, stdio: ['ignore', file, 'ignore'] }).status, 0);
  assert.deepEqual(readdirSync(join(cacheDir, 'spans/claims')), []);
});

test('an action that there is not is a usage error', async (t) => {
  const cacheDir = await tempDir(t);
  for (const action of ['wipe', 'constructor']) {
    const { status, stderr } = await clip(['cache', action], { cacheDir });
    assert.equal(status, 2);
    assert.match(stderr, /info, prune, clear and verify/);
  }
});
