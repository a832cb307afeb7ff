// `clip extract` under attack: images that want out of the folder, and folders that were prepared for them. The whole program runs,
// from a layout to a folder, with a folder of victims beside it that must never change.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentObserver } from '../../src/observer.js';
import { extract } from '../../src/read/extract.js';
import { entryOf } from '../support/entries.js';
import { readsFiles } from '../support/file-parts.js';
import { writeLayout } from '../support/layout-builder.js';
import { clip, type Run, root, tempDir } from '../support/run-clip.js';
import { selected } from '../support/selected.js';
import { member, sparseMember, tar } from '../support/tar-builder.js';
import { type DiskNode, readTree } from '../support/tar-walk.js';

interface World {
  dir: string;
  target: string;
  victims: string;
  layout: string;
}

async function world(t: TestContext, ...layers: Buffer[]): Promise<World> {
  const dir = await tempDir(t);
  const victims = join(dir, 'victims');
  fs.mkdirSync(join(victims, 'folder'), { recursive: true });
  fs.writeFileSync(join(victims, 'file'), 'precious');
  fs.writeFileSync(join(victims, 'folder/file'), 'precious too');
  const target = join(dir, 'target');
  fs.mkdirSync(target);
  const layout = join(dir, 'layout');
  writeLayout(layout, layers);
  return { dir, target, victims, layout };
}

/** How to run a program as nobody, where that can be: for root, and where others may read the checkout and this Node. */
function asNobody(): { uid: number; gid: number } | undefined {
  const nobody = { uid: 65534, gid: 65534 };
  const program = [join(root, 'bin/clip.js'), '--version'];
  const runs = process.getuid?.() === 0 && spawnSync(process.execPath, program, nobody).status === 0;
  return runs ? nobody : undefined;
}

/** A hang is a failure too. */
async function extractInto({ dir, target, layout }: World): Promise<Run> {
  return clip(['extract', `oci:${layout}`, '-C', target], { cacheDir: join(dir, 'cache'), timeout: 20_000 });
}

const shown = (nodes: Map<string, DiskNode>) =>
  [...nodes].map(
    ([path, { type, mode, mtimeNs, size, link, data }]) =>
      `${path} ${type} ${mode.toString(8)} ${mtimeNs} ${size} ${link} ${data.toString('latin1')}`,
  );

/** Runs `act` and checks that nothing outside the target changed: no byte, mode, time or name. */
async function keeping({ victims, dir }: World, act: () => Promise<void>): Promise<void> {
  const state = () => {
    const beside = fs.readdirSync(dir).filter((name) => name !== 'cache');
    return JSON.stringify([shown(readTree(victims)), beside.sort()]);
  };
  const before = state();
  await act();
  assert.equal(state(), before);
}

const folder = (name: string, mode = 0o755) => member({ name, type: '5', mode });
const symlink = (name: string, link: string) => member({ name, type: '2', link });
const hardLink = (name: string, link: string) => member({ name, type: '1', link });

test('names that lead out, and parents that are links out, end up inside', async (t) => {
  const up = '../'.repeat(12);
  const at = await world(
    t,
    tar(
      member({ name: `${up}escaped-1` }, 'x'),
      member({ name: '/escaped-2' }, 'x'),
      member({ name: 'a/../../escaped-3' }, 'x'),
      symlink('out', '/'),
      symlink('up', `${up}`),
      symlink('self', 'self'),
    ),
    tar(member({ name: 'out/escaped-4' }, 'x'), member({ name: 'up/escaped-5' }, 'x')),
  );
  await keeping(at, async () => {
    const run = await extractInto(at);
    assert.equal(run.status, 0, run.stderr);
  });
  const names = fs.readdirSync(at.target).sort();
  for (const i of [1, 2, 3, 4, 5]) assert.ok(names.includes(`escaped-${i}`), `escaped-${i} of ${names}`);
});

test('a link to a victim, a hard link to that link, and files of the same names in a higher layer', async (t) => {
  const dir = await tempDir(t);
  const victim = join(dir, 'victim');
  fs.writeFileSync(victim, 'precious', { mode: 0o600 });
  fs.utimesSync(victim, 1, 1);
  const at = await world(
    t,
    tar(symlink('link', victim), hardLink('hard', 'link'), symlink('folder', dir)),
    tar(member({ name: 'link', mode: 0o777 }, 'mine')),
  );
  const run = await extractInto(at);
  assert.equal(run.status, 0, run.stderr);
  const { nlink, mode, mtimeMs } = fs.statSync(victim);
  assert.deepEqual(
    [fs.readFileSync(victim, 'utf8'), nlink, mode & 0o777, mtimeMs],
    ['precious', 1, 0o600, 1000],
  );
  assert.equal(fs.readFileSync(join(at.target, 'link'), 'utf8'), 'mine');
  assert.equal(fs.readlinkSync(join(at.target, 'hard')), victim);
});

test('names of one symbolic link stay names of one', async (t) => {
  const at = await world(t, tar(symlink('a', 'nowhere'), hardLink('b', 'a'), hardLink('c', 'a')));
  const run = await extractInto(at);
  assert.equal(run.status, 0, run.stderr);
  const inodes = ['a', 'b', 'c'].map((name) => fs.lstatSync(join(at.target, name)).ino);
  assert.equal(new Set(inodes).size, process.platform === 'linux' ? 1 : 3);
});

const IMAGE = [
  folder('d/'),
  folder('d/e/'),
  member({ name: 'd/e/file', mode: 0o640, mtime: 7 }, 'content'),
  hardLink('d/e/hard', 'd/e/file'),
  symlink('d/e/link', 'file'),
  member({ name: 'file' }, 'top'),
];
const POSITIONS = ['d', 'd/e', 'd/e/file', 'd/e/hard', 'd/e/link', 'file'];

const OBSTACLES: Record<string, (path: string, world: World) => void> = {
  'a link to a folder outside': (path, { victims }) => fs.symlinkSync(victims, path),
  'a link to a file outside': (path, { victims }) => fs.symlinkSync(join(victims, 'file'), path),
  'a link to what is not there yet': (path, { victims }) => fs.symlinkSync(join(victims, 'new'), path),
  'a relative link out': (path) => fs.symlinkSync('../../../../../victims', path),
  'a hard link to a file outside': (path, { victims }) => fs.linkSync(join(victims, 'file'), path),
  'a FIFO': (path) => execFileSync('mkfifo', [path]),
  'a file that nobody may touch': (path) => fs.writeFileSync(path, 'old', { mode: 0 }),
  'an empty folder': (path) => fs.mkdirSync(path),
};

for (const [what, put] of Object.entries(OBSTACLES)) {
  test(`${what} in the place of any name is replaced, not followed`, async (t) => {
    const at = await world(t, tar(...IMAGE));
    const clean = join(at.dir, 'clean');
    fs.mkdirSync(clean);
    assert.equal((await extractInto({ ...at, target: clean })).status, 0);
    const wanted = shown(readTree(clean)).slice(1);
    for (const position of POSITIONS) {
      const target = join(at.dir, 'target');
      fs.rmSync(target, { recursive: true });
      const path = join(target, position);
      fs.mkdirSync(join(path, '..'), { recursive: true });
      put(path, at);
      await keeping(at, async () => {
        const run = await extractInto(at);
        assert.equal(run.status, 0, `${position}: ${run.stderr}`);
      });
      assert.deepEqual(shown(readTree(target)).slice(1), wanted, position);
    }
  });
}

test('a folder that is full is not thrown away for a file, nor for a link', async (t) => {
  const at = await world(t, tar(...IMAGE));
  for (const position of ['d/e/file', 'd/e/link', 'd/e/hard', 'file']) {
    fs.rmSync(at.target, { recursive: true });
    fs.mkdirSync(join(at.target, position), { recursive: true });
    fs.writeFileSync(join(at.target, position, 'mine'), 'mine');
    await keeping(at, async () => {
      const run = await extractInto(at);
      assert.equal(run.status, 1, position);
      assert.match(run.stderr, /\(IO\)\nhint:/);
    });
    assert.equal(fs.readFileSync(join(at.target, position, 'mine'), 'utf8'), 'mine');
    const left = [...readTree(at.target).keys()].filter((name) => name.includes('.clip-'));
    assert.deepEqual(left, []);
  }
});

test('a folder becomes a file and a folder again from image to image', async (t) => {
  const at = await world(t, tar(member({ name: 'x' }, 'a file')));
  const other = await world(t, tar(folder('x/'), member({ name: 'x/y' }, 'in a folder')));
  assert.equal((await extractInto(at)).status, 0);
  assert.equal((await extractInto({ ...other, target: at.target })).status, 0);
  assert.equal(fs.readFileSync(join(at.target, 'x/y'), 'utf8'), 'in a folder');
  assert.equal((await extractInto(at)).status, 1);
  fs.rmSync(join(at.target, 'x/y'));
  assert.equal((await extractInto(at)).status, 0);
  assert.equal(fs.readFileSync(join(at.target, 'x'), 'utf8'), 'a file');
});

test('a file that is too large for the file system is left out by name, and nothing of it stays', async (t) => {
  const size = Number.MAX_SAFE_INTEGER;
  const hole = sparseMember('1.0', { name: 'hole', size, runs: [[0, Buffer.from('x')]] });
  const at = await world(t, tar(member({ name: 'a' }, 'fine'), hole));
  const probe = join(at.dir, 'probe');
  fs.writeFileSync(probe, '');
  try {
    fs.truncateSync(probe, size);
    return t.skip('this file system takes it');
  } catch {
    fs.rmSync(probe);
  }
  const done = await extractInto(at);
  assert.equal(done.status, 1);
  assert.match(
    done.stderr,
    /target\/hole: the file is too large for this file system, .* \(IO\)\nhint: .* name the paths that you want/,
  );
  assert.deepEqual(fs.readdirSync(at.target), ['a']);
});

test('names that differ in case only are different names', async (t) => {
  const at = await world(
    t,
    tar(symlink('LIB', '../victims'), folder('lib/'), member({ name: 'lib/file' }, 'x')),
  );
  await keeping(at, async () => {
    assert.equal((await extractInto(at)).status, 0);
  });
  assert.equal(fs.readFileSync(join(at.target, 'lib/file'), 'utf8'), 'x');
});

test('folders that nobody may enter get their content first and their mode last', async (t) => {
  const at = await world(
    t,
    tar(
      folder('closed/', 0),
      folder('closed/deeper/', 0o100),
      member({ name: 'closed/deeper/file', mode: 0 }, 'x'),
    ),
  );
  fs.chmodSync(at.dir, 0o777);
  fs.chmodSync(at.target, 0o777);
  // For root no folder is closed.
  const nobody = asNobody();
  const cacheDir = join(at.dir, 'cache');
  // The second time the folders are there, and closed to whoever made them.
  for (const _ of ['first', 'second']) {
    const run = await clip(['extract', `oci:${at.layout}`, '-C', at.target], { cacheDir, ...nobody });
    assert.equal(run.status, 0, run.stderr);
    assert.equal(fs.statSync(join(at.target, 'closed')).mode & 0o7777, 0);
  }
  if (nobody) {
    assert.equal(fs.statSync(join(at.target, 'closed/deeper')).mode & 0o7777, 0o100);
    assert.equal(fs.statSync(join(at.target, 'closed/deeper/file')).uid, 65534);
  }
});

test('a folder that is closed to us and belongs to somebody else is an error that names it', async (t) => {
  const nobody = asNobody();
  if (!nobody) return t.skip('only as root, in a checkout that others may read');
  const at = await world(t, tar(folder('closed/', 0), member({ name: 'closed/file' }, 'x')));
  fs.chmodSync(at.dir, 0o777);
  fs.chmodSync(at.target, 0o777);
  fs.mkdirSync(join(at.target, 'closed'), 0);
  fs.chmodSync(join(at.target, 'closed'), 0);
  const run = await clip(['extract', `oci:${at.layout}`, '-C', at.target], {
    cacheDir: join(at.dir, 'cache'),
    ...nobody,
  });
  assert.equal(run.status, 1);
  assert.match(run.stderr, /cannot write .*\/closed: operation not permitted \(IO\)\nhint: /);
});

test('a folder in use keeps its own mode, time and owner; an empty one becomes the root', async (t) => {
  const at = await world(t, tar(folder('./', 0o711), member({ name: 'file' }, 'x')));
  fs.writeFileSync(join(at.target, 'mine'), 'mine');
  fs.chmodSync(at.target, 0o1777);
  assert.equal((await extractInto(at)).status, 0);
  assert.equal(fs.statSync(at.target).mode & 0o7777, 0o1777);
  const fresh = join(at.dir, 'fresh');
  assert.equal((await extractInto({ ...at, target: fresh })).status, 0);
  assert.equal(fs.statSync(fresh).mode & 0o7777, 0o711);
});

test('a parent that is swapped for a link while its file is written is noticed: nothing goes outside', async (t) => {
  const at = await world(t, tar());
  const reader = {
    async *read() {
      yield Buffer.from('con');
      if (!fs.existsSync(join(at.target, 'moved'))) {
        fs.renameSync(join(at.target, 'd'), join(at.target, 'moved'));
        fs.symlinkSync(at.victims, join(at.target, 'd'));
      }
      yield Buffer.from('tent');
    },
  };
  const nodes = ['d/a', 'd/b', 'd/c'].map((path, i) => {
    const entry = entryOf({ path, size: 7, position: 512 * (i + 1) });
    return { path: entry.path, entry, layer: 0, nlink: 1, inode: path };
  });
  await keeping(at, async () => {
    await extract(selected(nodes), {
      directory: at.target,
      reader: readsFiles(reader),
      observer: silentObserver,
    }).then(
      () => {},
      (error: unknown) => assert.match(String(error), /cannot write/),
    );
  });
});
