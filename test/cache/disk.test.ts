import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createClaims } from '../../src/cache/claims.js';
import { createDiskTier } from '../../src/cache/disk.js';
import { entryPath, listEntries, removeStaleTemporaries, spansStore } from '../../src/cache/disk-files.js';
import { clearStore } from '../../src/cache/disk-maintenance.js';
import { prune } from '../../src/cache/disk-usage.js';
import { createTieredCache } from '../../src/cache/tiered.js';
import { noise, recorder, sha256 } from '../support/fake-image.js';
import { temporaryFolder } from '../support/reading.js';

function open(t: TestContext, quota = 1 << 30) {
  const cacheDir = temporaryFolder(t);
  const observer = recorder();
  const spans = join(cacheDir, 'spans');
  return { cacheDir, spans, observer, tier: createDiskTier({ cacheDir, quota, observer }) };
}

const sample = (seed: number, size = 10_000) => {
  const value = new Uint8Array(noise(size, seed));
  return { value, key: sha256(value) };
};

test('what was put is there for this and other processes, under its digest', async (t) => {
  const { tier, spans, cacheDir, observer } = open(t);
  const { key, value } = sample(1);
  await tier.put(key, value);
  assert.deepEqual(await tier.get(key, value.byteLength), value);
  assert.deepEqual(new Uint8Array(readFileSync(join(spans, 'sha256', key.slice(0, 2), key.slice(2)))), value);
  const other = createDiskTier({ cacheDir, quota: 1 << 30, observer });
  assert.deepEqual(await other.get(key, value.byteLength), value);
  // What is not as long as it should be does not hold, and is not read.
  assert.deepEqual(await other.get(key, value.byteLength - 1), new Uint8Array(0));
  assert.equal(await other.get(sha256(Buffer.from('none')), 5), undefined);
  assert.deepEqual(readdirSync(join(spans, 'tmp')), []);
  await other.drop(key);
  assert.equal(await tier.get(key, value.byteLength), undefined);
});

test('a key that is no digest never reaches the file system', async (t) => {
  const { tier, cacheDir } = open(t);
  await tier.put('../../escape', new Uint8Array(3));
  assert.equal(await tier.get('../../escape', 3), undefined);
  assert.deepEqual(readdirSync(cacheDir), []);
});

test('eviction removes what was used longest ago, down to nine tenths of the quota', async (t) => {
  const { tier, spans, observer } = open(t, 100_000);
  const values = Array.from({ length: 10 }, (_, i) => sample(i + 1));
  for (const [i, { key, value }] of values.entries()) {
    await tier.put(key, value);
    const when = Date.now() / 1000 - 1000 + i;
    utimesSync(entryPath(spans, key), when, when);
  }
  // A hit makes the oldest the newest.
  const [oldest] = values;
  assert.ok(oldest && (await tier.get(oldest.key, 10_000)));
  const extra = sample(99);
  await tier.put(extra.key, extra.value);
  await tier.close();
  const left = new Set([...listEntries(spans)].map((entry) => entry.key));
  assert.equal(left.size, 9);
  assert.ok(left.has(oldest.key) && left.has(extra.key));
  assert.ok(!left.has(values[1]?.key ?? '') && !left.has(values[2]?.key ?? ''));
  assert.equal(observer.count('evicted'), 2);
  assert.equal(existsSync(join(spans, 'evict.lock')), false);
});

test('a bad link that cannot be removed is there all the same', async (t) => {
  const { tier, spans, cacheDir } = open(t);
  const { key, value } = sample(1);
  tier.put(key, value);
  const path = entryPath(spans, key);
  rmSync(path);
  symlinkSync('nowhere', path);
  chmodSync(dirname(path), 0o500);
  await asUser(cacheDir, async () => {
    assert.deepEqual(clearStore(spansStore(dirname(spans))).left.entries, 1);
  }).finally(() => chmodSync(dirname(path), 0o700));
});

test('five writers of one folder stay near the quota', async (t) => {
  const { cacheDir, spans, observer } = open(t);
  const quota = 1_000_000;
  const tiers = Array.from({ length: 5 }, () => createDiskTier({ cacheDir, quota, observer }));
  for (let i = 0; i < 200; i++) {
    const { key, value } = sample(i + 1, 20_000);
    await tiers[i % 5]?.put(key, value);
    const bytes = [...listEntries(spans)].reduce((sum, entry) => sum + entry.size, 0);
    assert.ok(bytes <= quota * 1.2, `${bytes} after ${i}`);
    assert.ok(bytes >= Math.min((i + 1) * 20_000, quota * 0.7), `${bytes} after ${i}`);
  }
  for (const tier of tiers) await tier.close();
});

test('a lock whose holder died does not stop eviction for long', (t) => {
  const { spans } = open(t);
  mkdirSync(spans, { recursive: true });
  const lock = join(spans, 'evict.lock');
  writeFileSync(lock, '');
  assert.equal(prune(spansStore(dirname(spans)), { maxBytes: 1 }), undefined);
  utimesSync(lock, 0, 0);
  assert.equal(prune(spansStore(dirname(spans)), { maxBytes: 1 })?.entries, 0);
});

test('the lock of a killed process is taken over at once, and one from the future is none', (t) => {
  const { spans } = open(t);
  mkdirSync(spans, { recursive: true });
  const lock = join(spans, 'evict.lock');
  const claims = createClaims(spans);
  const name = 'ab'.repeat(32);
  claims.take(name);
  const [where] = readlinkSync(join(spans, 'claims', name)).split('.');
  claims.release(name);
  symlinkSync(`${where}.4194999.1`, lock);
  assert.equal(prune(spansStore(dirname(spans)), { maxBytes: 1 })?.entries, 0);
  symlinkSync(`${where}.${process.ppid}.0`, lock);
  assert.equal(prune(spansStore(dirname(spans)), { maxBytes: 1 }), undefined, 'a live process keeps it');
  lutimesSync(lock, Date.now() / 1000 + 86_400, Date.now() / 1000 + 86_400);
  assert.equal(prune(spansStore(dirname(spans)), { maxBytes: 1 })?.entries, 0);
});

test('a sum of entries that cannot be is counted anew', async (t) => {
  const { spans, tier } = open(t, 30_000);
  mkdirSync(spans, { recursive: true });
  writeFileSync(join(spans, 'usage'), '-99999999999\n');
  for (let i = 0; i < 10; i++) await tier.put(sample(i + 1).key, sample(i + 1).value);
  await tier.close();
  const bytes = [...listEntries(spans)].reduce((sum, entry) => sum + entry.size, 0);
  assert.ok(bytes > 0 && bytes <= 40_000, `${bytes}`);
});

test('the sum of entries is never added to what a link leads to, or to a pipe that nobody reads', async (t) => {
  const { cacheDir, spans } = open(t);
  const victim = join(cacheDir, 'victim');
  writeFileSync(victim, 'mine\n');
  mkdirSync(spans);
  symlinkSync(victim, join(spans, 'usage'));
  const put = async (seed: number) => {
    const { key, value } = sample(seed);
    const tier = createDiskTier({ cacheDir, quota: 1 << 30, observer: recorder() });
    await tier.put(key, value);
    await tier.close();
  };
  await put(1);
  assert.equal(readFileSync(victim, 'utf8'), 'mine\n');
  assert.equal(readFileSync(join(spans, 'usage'), 'utf8'), '10000\n');
  rmSync(join(spans, 'usage'));
  execFileSync('mkfifo', [join(spans, 'usage')]);
  await put(2);
  assert.equal(readFileSync(join(spans, 'usage'), 'utf8'), '20000\n');
});

test('one entry that is no entry is told and replaced, and the others are read', async (t) => {
  const { tier, spans, observer } = open(t);
  const [odd, good] = [sample(1), sample(2)];
  for (const { key, value } of [odd, good]) await tier.put(key, value);
  const path = join(spans, 'sha256', odd.key.slice(0, 2), odd.key.slice(2));
  rmSync(path);
  symlinkSync(odd.key.slice(2), path);
  for (let i = 0; i < 5; i++) assert.deepEqual(await tier.get(odd.key, odd.value.length), new Uint8Array(0));
  assert.deepEqual(await tier.get(good.key, good.value.length), good.value);
  assert.equal(observer.count('warning'), 0);
  assert.equal([...listEntries(spans)].length, 2);
  await tier.drop(odd.key);
  await tier.put(odd.key, odd.value);
  assert.deepEqual(await tier.get(odd.key, odd.value.length), odd.value);
});

/**
 * The disk tier and the file system for a program of its own, which a wait without end takes down. `swap` puts a pipe in the place of a
 * file, right after the next look with this function.
 */
const SWAPPING = `
  import { execFileSync } from 'node:child_process';
  import fs from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  import { createDiskTier } from '${new URL('../../src/cache/disk.js', import.meta.url)}';
  const open = (cacheDir) => createDiskTier({ cacheDir, quota: 1 << 30, observer: { emit() {} } });
  function swap(path, name) {
    const look = fs[name];
    fs[name] = (...args) => {
      const found = look(...args);
      fs[name] = look;
      syncBuiltinESMExports();
      fs.rmSync(path);
      execFileSync('mkfifo', [path]);
      return found;
    };
    syncBuiltinESMExports();
  }
`;

function runSwapping(program: string, ...args: string[]) {
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', SWAPPING + program, ...args], {
    timeout: 10_000,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
  });
  assert.deepEqual([done.status, done.stderr], [0, '']);
}

test('a pipe that takes the place of an entry, or of the sum of them, while it is looked at is not waited for', async (t) => {
  const { cacheDir, spans, tier } = open(t);
  const { key, value } = sample(1);
  await tier.put(key, value);
  await tier.close();
  runSwapping(
    `const [cacheDir, path, key, length] = process.argv.slice(1);
     swap(path, 'statSync');
     if (open(cacheDir).get(key, Number(length))?.length) throw new Error('a value');`,
    ...[cacheDir, entryPath(spans, key), key, String(value.length)],
  );
  runSwapping(
    `const [cacheDir, path, key] = process.argv.slice(1);
     const tier = open(cacheDir);
     tier.put(key, Buffer.alloc(10));
     swap(path, 'fstatSync');
     await tier.close();`,
    ...[cacheDir, join(spans, 'usage'), sample(2).key],
  );
});

test('a tier that is closed holds no claims', async (t) => {
  const { tier, spans } = open(t);
  assert.equal(tier.claims?.take('ab'.repeat(32)), true);
  assert.equal(readdirSync(join(spans, 'claims')).length, 1);
  await tier.close();
  assert.deepEqual(readdirSync(join(spans, 'claims')), []);
});

test('temporary files of dead writers go after an hour, younger ones stay', async (t) => {
  const { tier, spans } = open(t);
  const folder = join(spans, 'tmp');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'old'), 'x');
  writeFileSync(join(folder, 'new'), 'x');
  utimesSync(join(folder, 'old'), Date.now() / 1000 - 7200, Date.now() / 1000 - 7200);
  const { key, value } = sample(1);
  await tier.put(key, value);
  assert.deepEqual(readdirSync(folder), ['new']);
});

const KILLS = 200;

test('writers killed at random instants leave no torn entry', async (t) => {
  const { cacheDir, spans } = open(t);
  const script = fileURLToPath(new URL('../support/cache-writer.js', import.meta.url));
  let started = 0;
  const killOneAfterAnother = async () => {
    while (started < KILLS) {
      const child = spawn(process.execPath, [script, cacheDir, `${started++}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
    }
  };
  await Promise.all(Array.from({ length: 4 }, killOneAfterAnother));
  let entries = 0;
  for (const { key, path } of listEntries(spans)) {
    assert.equal(hash('sha256', readFileSync(path), 'hex'), key);
    entries++;
  }
  assert.ok(entries >= KILLS);
  const temporaries = () => readdirSync(join(spans, 'tmp'));
  assert.ok(temporaries().length <= KILLS, 'none leaves more than what it was at');
  removeStaleTemporaries(spans, 0);
  assert.deepEqual(temporaries(), []);
});

test('a full disk: one warning, no half-written file, and what is there is still read', async (t) => {
  const mount = mkdtempSync(join(tmpdir(), 'clip-full-'));
  t.after(() => rmSync(mount, { recursive: true }));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', mount]);
  if (mounted.status !== 0) return t.skip('needs the right to mount a tmpfs');
  try {
    await fillDisk(mount);
  } finally {
    spawnSync('umount', [mount]);
  }
});

async function fillDisk(mount: string): Promise<void> {
  const observer = recorder();
  const tier = createDiskTier({ cacheDir: mount, quota: 1 << 30, observer });
  for (let i = 0; i < 10; i++) {
    const { key, value } = sample(i + 1, 100_000);
    await tier.put(key, value);
  }
  const warnings = observer.events.filter((event) => event.type === 'warning');
  assert.equal(warnings.length, 1);
  assert.equal(warnings[0]?.code, 'NO_SPACE');
  assert.match(warnings[0]?.hint ?? '', /--cache-dir/);
  assert.deepEqual(readdirSync(join(mount, 'spans', 'tmp')), []);
  const first = sample(1, 100_000);
  assert.deepEqual(await tier.get(first.key, 100_000), first.value);
  assert.equal(tier.canHold(1), false);
  await tier.close();
}

test('a folder that cannot be made: one warning, reads go on', async (t) => {
  const { observer, cacheDir } = open(t);
  writeFileSync(join(cacheDir, 'file'), '');
  const tier = createDiskTier({ cacheDir: join(cacheDir, 'file'), quota: 1 << 30, observer });
  const { key, value } = sample(1);
  await tier.put(key, value);
  await tier.put(key, value);
  assert.equal(await tier.get(key, value.byteLength), undefined);
  assert.equal(observer.count('warning'), 1);
});

test('a read-only folder: what is there is read, what is not is not written, one warning', async (t) => {
  const { tier, spans, observer, cacheDir } = open(t);
  const first = sample(1);
  await tier.put(first.key, first.value);
  for (const folder of ['tmp', 'sha256']) chmodSync(join(spans, folder), 0o500);
  await asUser(cacheDir, async () => {
    const other = createDiskTier({ cacheDir, quota: 1 << 30, observer });
    const second = sample(2);
    await other.put(second.key, second.value);
    assert.ok(await other.get(first.key, first.value.byteLength));
    assert.equal(await other.get(second.key, second.value.byteLength), undefined);
    assert.equal(observer.count('warning'), 1);
  }).finally(() => {
    for (const folder of ['tmp', 'sha256']) chmodSync(join(spans, folder), 0o700);
  });
});

test('a bad entry that cannot be removed is told once, and read no more', async (t) => {
  const { tier, spans, observer, cacheDir } = open(t);
  const { key, value } = sample(1);
  await tier.put(key, value);
  const path = entryPath(spans, key);
  writeFileSync(path, new Uint8Array(value.length));
  const folders = [join(spans, 'tmp'), dirname(path), spans];
  for (const folder of folders) chmodSync(folder, 0o500);
  await asUser(cacheDir, async () => {
    const disk = createDiskTier({ cacheDir, quota: 1 << 30, observer });
    const cache = createTieredCache({ lower: [disk], observer });
    const unit = { key, length: value.length };
    for (let i = 0; i < 2; i++) {
      const batch = cache.load([unit], { origin: async () => cache.deliver(unit, value) });
      assert.deepEqual(await batch.take(0), value);
      batch.release();
    }
    assert.equal(observer.count('corrupt'), 1);
    assert.equal(cache.contains(unit), false);
  }).finally(() => {
    for (const folder of folders.reverse()) chmodSync(folder, 0o700);
  });
  // Whoever may write there puts a whole one in its place.
  const owner = createDiskTier({ cacheDir, quota: 1 << 30, observer });
  owner.drop(key);
  owner.put(key, value);
  assert.deepEqual(owner.get(key, value.length), value);
});

/** Modes do not stop root: it gives the folder to another user and is that one for a while. */
async function asUser(folder: string, action: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return action();
  const nobody = 65_534;
  assert.equal(spawnSync('chown', ['-R', `${nobody}`, folder]).status, 0);
  process.seteuid?.(nobody);
  try {
    await action();
  } finally {
    process.seteuid?.(0);
  }
}

test('entries are for their owner only', async (t) => {
  const { tier, spans } = open(t);
  const { key, value } = sample(1);
  await tier.put(key, value);
  assert.equal(statSync(entryPath(spans, key)).mode & 0o077, 0);
  assert.equal(statSync(spans).mode & 0o077, 0);
});
