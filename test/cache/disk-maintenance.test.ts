import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createDiskTier } from '../../src/cache/disk.js';
import { entryPath, spansStore } from '../../src/cache/disk-files.js';
import { clearStore, storeInfo, verifyStore } from '../../src/cache/disk-maintenance.js';
import { prune } from '../../src/cache/disk-usage.js';
import { silentObserver } from '../../src/observer.js';
import { noise, recorder, sha256 } from '../support/fake-image.js';
import { temporaryFolder } from '../support/reading.js';

async function fill(cacheDir: string, count: number): Promise<string[]> {
  const tier = createDiskTier({ cacheDir, quota: 1 << 30, observer: silentObserver });
  const keys: string[] = [];
  for (let i = 0; i < count; i++) {
    const value = new Uint8Array(noise(10_000, i + 1));
    keys.push(sha256(value));
    await tier.put(sha256(value), value);
  }
  await tier.close();
  return keys;
}

test('info counts, prune bounds, clear empties', async (t) => {
  const cacheDir = temporaryFolder(t);
  assert.equal(storeInfo(spansStore(cacheDir)).entries, 0);
  await fill(cacheDir, 10);
  const { entries, bytes, directory } = storeInfo(spansStore(cacheDir));
  assert.deepEqual([entries, bytes, directory], [10, 100_000, join(cacheDir, 'spans')]);
  assert.equal(prune(spansStore(cacheDir), { maxBytes: 50_000 })?.entries, 4);
  assert.equal(storeInfo(spansStore(cacheDir)).bytes, 40_000);
  assert.deepEqual(clearStore(spansStore(cacheDir)).removed, { entries: 4, bytes: 40_000 });
  assert.equal(storeInfo(spansStore(cacheDir)).entries, 0);
  await fill(cacheDir, 1);
  assert.equal(storeInfo(spansStore(cacheDir)).entries, 1);
});

test('what may not be removed is not told as removed', async (t) => {
  const cacheDir = temporaryFolder(t);
  const [key] = await fill(cacheDir, 2);
  const path = entryPath(join(cacheDir, 'spans'), key!);
  writeFileSync(path, 'other bytes');
  const isRoot = process.geteuid?.() === 0;
  chmodSync(cacheDir, 0o755);
  for (const entry of [
    'spans',
    ...readdirSync(join(cacheDir, 'spans'), { recursive: true, encoding: 'utf8' }).map((name) =>
      join('spans', name),
    ),
  ]) {
    const place = join(cacheDir, entry);
    chmodSync(place, statSync(place).isFile() ? 0o644 : 0o555);
  }
  if (isRoot) process.seteuid?.(65_534);
  try {
    const { corrupt, left } = await verifyStore(spansStore(cacheDir));
    assert.deepEqual({ corrupt, left }, { corrupt: [key], left: 1 });
    const cleared = clearStore(spansStore(cacheDir));
    assert.deepEqual([cleared.left.entries, cleared.removed.entries], [2, 0]);
    assert.equal(storeInfo(spansStore(cacheDir)).entries, 2);
  } finally {
    if (isRoot) process.seteuid?.(0);
    execFileSync('chmod', ['-R', 'u+w', cacheDir]);
  }
});

test('what may not be removed is not told as pruned', async (t) => {
  const cacheDir = temporaryFolder(t);
  const keys = await fill(cacheDir, 4);
  const spans = join(cacheDir, 'spans');
  const fixed = new Set(keys.slice(0, 2).map((key) => key.slice(0, 2)));
  const isRoot = process.geteuid?.() === 0;
  execFileSync('chmod', ['-R', 'a+rwX', cacheDir]);
  for (const prefix of fixed) chmodSync(join(spans, 'sha256', prefix), 0o555);
  if (isRoot) process.seteuid?.(65_534);
  try {
    const { removedEntries, removedBytes, entries, bytes, stuckEntries } = prune(spansStore(cacheDir), {
      maxBytes: 100,
    })!;
    assert.deepEqual([entries, bytes, removedEntries], [2, 20_000, 2]);
    assert.deepEqual([removedBytes, stuckEntries], [20_000, 2]);
    assert.equal(storeInfo(spansStore(cacheDir)).entries, 2);
  } finally {
    if (isRoot) process.seteuid?.(0);
    execFileSync('chmod', ['-R', 'u+w', cacheDir]);
  }
});

test('clear takes what is of the cache and nothing else', async (t) => {
  const cacheDir = temporaryFolder(t);
  await fill(cacheDir, 3);
  const spans = join(cacheDir, 'spans');
  mkdirSync(join(spans, 'tmp'), { recursive: true });
  writeFileSync(join(spans, 'tmp', 'half'), 'x');
  mkdirSync(join(spans, 'sha256', 'zz'));
  const mine = [join(spans, 'notes'), join(spans, 'sha256', 'zz', 'mine')];
  for (const path of mine) writeFileSync(path, 'precious');
  assert.equal(clearStore(spansStore(cacheDir)).isGone, false);
  const left = readdirSync(spans, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(left.sort(), ['notes', 'sha256', 'sha256/zz', 'sha256/zz/mine']);
  for (const path of mine) rmSync(path);
  rmSync(join(spans, 'sha256'), { recursive: true });
  assert.equal(clearStore(spansStore(cacheDir)).isGone, true);
  assert.deepEqual(readdirSync(cacheDir), []);
});

test('verify finds and removes exactly what is damaged', async (t) => {
  const cacheDir = temporaryFolder(t);
  const keys = await fill(cacheDir, 5);
  const spans = join(cacheDir, 'spans');
  const damaged = [keys[1] as string, keys[3] as string].sort();
  truncateSync(entryPath(spans, damaged[0] as string), 10);
  writeFileSync(entryPath(spans, damaged[1] as string), Buffer.alloc(10_000));
  const observer = recorder();
  const result = await verifyStore(spansStore(cacheDir), { observer });
  assert.equal(result.entries, 5);
  assert.deepEqual(result.corrupt.sort(), damaged);
  assert.equal(observer.count('corrupt'), 2);
  assert.deepEqual((await verifyStore(spansStore(cacheDir))).corrupt, []);
  assert.equal(storeInfo(spansStore(cacheDir)).entries, 3);
});

test('verify does not follow a link in the place of an entry: what it leads to may never end', async (t) => {
  const cacheDir = temporaryFolder(t);
  const [pipe, endless] = await fill(cacheDir, 3);
  const pathOf = (key: string) => entryPath(join(cacheDir, 'spans'), key);
  execFileSync('mkfifo', [join(cacheDir, 'pipe')]);
  rmSync(pathOf(pipe!));
  symlinkSync(join(cacheDir, 'pipe'), pathOf(pipe!));
  rmSync(pathOf(endless!));
  symlinkSync('/dev/zero', pathOf(endless!));
  const { entries, corrupt, left } = await verifyStore(spansStore(cacheDir), {
    signal: AbortSignal.timeout(10_000),
  });
  assert.deepEqual(
    { entries, corrupt: corrupt.sort(), left },
    {
      entries: 3,
      corrupt: [pipe!, endless!].sort(),
      left: 0,
    },
  );
  assert.equal(storeInfo(spansStore(cacheDir)).entries, 1);
});
