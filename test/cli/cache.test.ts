import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
  assert.ok(readdirSync(cacheDir).includes('index'), 'indexes are kept');
  const again = await clip(['cat', bundled, '/etc/os-release', '--stats', 'json'], { cacheDir });
  assert.equal(again.status, 0);
  assert.ok(Number(receiptOf(again).inflates) >= 1);
});

test('cache info shows the copies of archives, and clear leaves them', async (t) => {
  const cacheDir = await tempDir(t);
  const exported = await clip(['export', bundled], { cacheDir });
  const indexed = await clip(['index', 'tar:-'], { cacheDir, input: exported.stdout });
  assert.equal(indexed.status, 0, indexed.stderr);
  const directory = join(cacheDir, 'spool');
  for (const action of ['info', 'clear', 'info']) {
    const { stdout } = await clip(['cache', action, '--json'], { cacheDir });
    if (action === 'clear') continue;
    const { spool } = JSON.parse(stdout.toString());
    assert.deepEqual(spool, { directory, entries: 1, bytes: exported.stdout.length });
  }
  const { stdout } = await clip(['cache', 'info'], { cacheDir });
  assert.match(stdout.toString(), /\n\/.*\/spool holds 1 entry, [0-9.]+ MiB of copies of archives\n$/);
});

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
