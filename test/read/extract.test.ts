import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { type ByteString, textToByteString } from '../../src/bytes.js';
import { ClipError } from '../../src/errors.js';
import { silentObserver } from '../../src/observer.js';
import { extract } from '../../src/read/extract.js';
import type { NotCarried } from '../../src/read/extract-metadata.js';
import { createPlacer } from '../../src/read/extract-place.js';
import type { ReadRange } from '../../src/read/reader.js';
import type { Entry } from '../../src/tree/entry.js';
import type { Node } from '../../src/tree/node.js';
import { readsFiles } from '../support/file-parts.js';
import { listTree } from '../support/list-tree.js';
import { packed } from '../support/packed.js';
import { selected } from '../support/selected.js';

const none = textToByteString('');
const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
let position = 0;

/** A node owned by whoever runs the test, so that nothing depends on being root. */
function node(path: string, fields: Partial<Entry> & { inode?: string; nlink?: number } = {}): Node {
  const name = textToByteString(path);
  position += 512;
  const { inode = String(position), nlink = 1, ...rest } = fields;
  const type = rest.type ?? 'file';
  const entry: Entry = {
    path: name,
    type,
    mode: type === 'directory' ? 0o755 : 0o644,
    uid,
    gid,
    uname: none,
    gname: none,
    mtime: 1_000_000_000,
    mtimeNanos: 0,
    size: 0,
    link: none,
    devMajor: 0,
    devMinor: 0,
    xattrs: [],
    position,
    ...rest,
  };
  return { path: name, entry, layer: 0, nlink, inode };
}

function file(path: string, data: string, fields: Parameters<typeof node>[1] = {}): Node {
  contents.set(textToByteString(path), data);
  return node(path, { size: data.length, ...fields });
}

function link(path: string, target: string): Node {
  return node(path, { type: 'symlink', mode: 0o777, link: textToByteString(target) });
}

const dir = (path: string, mode = 0o755): Node => node(path, { type: 'directory', mode });

const contents = new Map<ByteString, string>();
let order: string[] = [];

const reader = {
  async *read(read: Node, range: ReadRange = {}) {
    order.push(read.path);
    const data = contents.get(read.path) ?? '';
    const { offset = 0, length = data.length } = range;
    const wanted = Buffer.from(data).subarray(offset, offset + length);
    for (let at = 0; at < wanted.length; at += 5) yield wanted.subarray(at, at + 5);
  },
};

const work = fs.mkdtempSync(join(tmpdir(), 'clip-extract-'));
after(() => fs.rmSync(work, { recursive: true, force: true }));

function temporary(): string {
  return fs.mkdtempSync(join(work, 'out-'));
}

function run(nodes: Node[], directory: string, signal?: AbortSignal): Promise<NotCarried> {
  order = [];
  return extract(selected(nodes), {
    directory,
    reader: readsFiles(reader),
    observer: silentObserver,
    ...(signal ? { signal } : {}),
  });
}

async function rejects(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof ClipError && error.code === code);
}

test('a hard link that another extraction has made just now leaves no temporary name behind', () => {
  const out = fs.realpathSync(temporary());
  fs.writeFileSync(join(out, 'one'), 'data');
  fs.linkSync(join(out, 'one'), join(out, 'two'));
  const placer = createPlacer(Buffer.from(out));
  placer.place(textToByteString('two'), (name) => fs.linkSync(join(out, 'one'), name));
  assert.deepEqual(fs.readdirSync(out), ['one', 'two']);
});

test('files, directories, links, hard links, modes and times', async () => {
  const out = join(temporary(), 'new', 'folder');
  const notCarried = await run(
    [
      dir('a', 0o500),
      file('a/one', 'first file', { mode: 0o640, mtime: -5, mtimeNanos: 250_000_000, inode: 'x', nlink: 2 }),
      file('a/two', 'first file', { mode: 0o640, mtime: -5, inode: 'x', nlink: 2 }),
      link('a/up', '../b c'),
      file('b c', ''),
      file('missing/parents/f', 'deep'),
      node('fifo', { type: 'fifo' }),
      node('dev', { type: 'char', devMajor: 1, devMinor: 3 }),
    ],
    out,
  );
  assert.equal(fs.readFileSync(join(out, 'a/one'), 'utf8'), 'first file');
  const one = fs.lstatSync(join(out, 'a/one'));
  assert.equal(one.mode & 0o7777, 0o640);
  assert.equal(one.mtimeMs, -4750);
  assert.equal(one.ino, fs.lstatSync(join(out, 'a/two')).ino);
  assert.equal(fs.readlinkSync(join(out, 'a/up')), '../b c');
  assert.equal(fs.lstatSync(join(out, 'a/up')).mtimeMs, 1e12);
  assert.equal(fs.lstatSync(join(out, 'a')).mode & 0o7777, 0o500);
  assert.equal(fs.lstatSync(join(out, 'a')).mtimeMs, 1e12);
  assert.equal(fs.readFileSync(join(out, 'missing/parents/f'), 'utf8'), 'deep');
  assert.deepEqual(fs.readdirSync(out).sort(), ['a', 'b c', 'missing']);
  assert.deepEqual(notCarried, {
    devices: 1,
    fifos: 1,
    brokenLinks: 0,
    impossibleLinks: 0,
    xattrs: 0,
    owners: 0,
    setids: 0,
  });
});

test('times are kept to the microsecond, never one early', async () => {
  const out = temporary();
  const times: [number, number][] = [];
  for (const seconds of [0, 1, 1_700_000_000, 2 ** 32 - 10, -1, -2_000_000_000]) {
    for (let i = 0; i < 40; i++) times.push([seconds, ((i * 977_777 + 1) % 1e6) * 1000 + 999]);
  }
  const files = times.map(([mtime, mtimeNanos], i) => file(String(i), '', { mtime, mtimeNanos }));
  const links = times.map(([mtime, mtimeNanos], i) => ({ ...link(`l${i}`, 'x'), mtime, mtimeNanos }));
  const timed = links.map(({ mtime, mtimeNanos, ...rest }) => ({
    ...rest,
    entry: { ...rest.entry, mtime, mtimeNanos },
  }));
  await run([...files, ...timed], out);
  for (const [i, [mtime, mtimeNanos]] of times.entries()) {
    const wanted = BigInt(mtime) * 10n ** 9n + BigInt(mtimeNanos - (mtimeNanos % 1000));
    for (const name of [String(i), `l${i}`]) {
      // Newer Nodes keep what a double says below a microsecond, too.
      const beyond = fs.lstatSync(join(out, name), { bigint: true }).mtimeNs - wanted;
      assert.ok(beyond >= 0n && beyond < 1000n, `${mtime} ${mtimeNanos}: ${beyond}`);
    }
  }
});

test('a link that no file system takes is left out and counted, with its other names', async () => {
  const out = temporary();
  const shared = { inode: 'empty', nlink: 2 };
  const empty = ['a', 'b'].map((path) => node(path, { type: 'symlink', ...shared }));
  const { impossibleLinks } = await run([...empty, link('nul', 'a\0b'), link('good', 'a')], out);
  assert.equal(impossibleLinks, 3);
  assert.deepEqual(fs.readdirSync(out), ['good']);
});

test('a folder that is a file, or lies below one, is NOT_A_DIRECTORY', async () => {
  const path = join(temporary(), 'file');
  fs.writeFileSync(path, 'kept');
  for (const target of [path, join(path, 'below'), join(path, 'far/below')])
    await rejects(run([file('f', 'x')], target), 'NOT_A_DIRECTORY');
  assert.equal(fs.readFileSync(path, 'utf8'), 'kept');
});

test('files are read in the order of their data', async () => {
  const [z, y, x] = [file('z', '1'), file('y', '2'), file('x', '3')];
  order = [];
  const options = { directory: temporary(), reader: readsFiles(reader), observer: silentObserver };
  await extract(selected([x!, y!, z!]), options);
  assert.deepEqual(order, ['z', 'y', 'x']);
});

test('sparse files keep their holes, however large they are', async () => {
  const out = temporary();
  contents.set(textToByteString('sparse'), 'abcdefghij');
  await run(
    [node('sparse', { size: 2 ** 40, extents: packed([{ logical: 0, offset: 0, length: 10 }]) })],
    out,
  );
  const { size, blocks } = fs.statSync(join(out, 'sparse'));
  assert.equal(size, 2 ** 40);
  assert.ok(blocks < 100);
});

test('however few nodes are held at a time, the folder is the same', async () => {
  const nodes = [
    dir('', 0o755),
    dir('a', 0o500),
    dir('a/deep', 0o555),
    file('a/deep/one', 'shared', { inode: 'x', nlink: 3 }),
    file('a/two', 'shared', { inode: 'x', nlink: 3 }),
    dir('b'),
    { ...link('b/up', '../a'), inode: 'l', nlink: 2 },
    file('b/last', 'written after what comes later'),
    dir('b.d'),
    file('b.d/three', 'shared', { inode: 'x', nlink: 3 }),
    { ...link('c', '../a'), inode: 'l', nlink: 2 },
  ];
  const results = [];
  for (const atOnce of [1, 2, 5, 1000]) {
    let walks = 0;
    const selection = {
      async *nodes() {
        walks++;
        for (const each of nodes) yield [each];
      },
    };
    const out = temporary();
    const options = { directory: out, reader: readsFiles(reader), observer: silentObserver, atOnce };
    const notCarried = await extract(selection, options);
    // The survey, then directories, files, shared files, links, directories again.
    assert.equal(walks, { 1: 6, 2: 5, 5: 1, 1000: 1 }[atOnce], `${atOnce} at once`);
    results.push({ notCarried, tree: listTree(out) });
  }
  assert.equal(results[0]!.tree.length, nodes.length);
  const [first, ...others] = results;
  for (const other of others) assert.deepEqual(other, first);
});

test('where nothing is selected no folder is made', async () => {
  const out = join(temporary(), 'new');
  await run([], out);
  assert.ok(!fs.existsSync(out));
});

test('names that are not UTF-8 are written byte for byte', async () => {
  const out = temporary();
  const name = 'caf\xe9' as ByteString;
  contents.set(name, 'x');
  const plain = node('f', { size: 1 });
  await run([{ ...plain, path: name }], out);
  assert.deepEqual(fs.readdirSync(out, { encoding: 'buffer' }), [Buffer.from('caf\xe9', 'latin1')]);
});

test('what stands in the folder is replaced, never followed', async () => {
  const outside = temporary();
  fs.writeFileSync(join(outside, 'victim'), 'untouched');
  fs.mkdirSync(join(outside, 'target'));
  const out = temporary();
  fs.symlinkSync(join(outside, 'victim'), join(out, 'file'));
  fs.symlinkSync(join(outside, 'target'), join(out, 'parent'));
  fs.symlinkSync(join(outside, 'target'), join(out, 'dir'));
  fs.writeFileSync(join(out, 'was-a-file'), 'old');
  fs.mkdirSync(join(out, 'empty'));
  fs.linkSync(join(outside, 'victim'), join(out, 'hard'));
  await run(
    [
      dir('dir', 0o711),
      file('dir/f', 'in dir'),
      file('empty', 'a file now'),
      file('file', 'new'),
      file('hard', 'new'),
      file('parent/f', 'inside'),
      dir('was-a-file'),
      link('was-a-file/l', '/etc/passwd'),
    ],
    out,
  );
  assert.equal(fs.readFileSync(join(outside, 'victim'), 'utf8'), 'untouched');
  assert.deepEqual(fs.readdirSync(join(outside, 'target')), []);
  for (const name of ['dir', 'parent', 'was-a-file'])
    assert.ok(fs.lstatSync(join(out, name)).isDirectory(), name);
  for (const name of ['file', 'hard', 'empty']) assert.ok(fs.lstatSync(join(out, name)).isFile(), name);
  assert.equal(fs.readFileSync(join(out, 'parent/f'), 'utf8'), 'inside');
});

test("the folder itself may be a link; the image's own links are never written through", async () => {
  const real = temporary();
  const outside = temporary();
  const out = join(temporary(), 'link');
  fs.symlinkSync(real, out);
  // A merged tree has nothing below a link; a hostile index might say it has.
  const hostile = [link('l', outside), file('l/f', 'escaped?')];
  await run(hostile, out).catch(() => {});
  assert.deepEqual(fs.readdirSync(outside), []);
  assert.ok(!fs.lstatSync(join(real, 'l')).isSymbolicLink());
});

test('paths that no clean tree holds are refused', async () => {
  for (const path of ['../x', 'a/../../x', '/etc/x', 'a//b', 'a/.', '.', 'a\0b']) {
    const out = temporary();
    await rejects(run([file(path, 'x')], out), 'UNSAFE_PATH');
    assert.deepEqual(
      fs.readdirSync(out).filter((name) => name !== 'a'),
      [],
      path,
    );
  }
});

test('a path of thousands of directories is an error of the file system, which has no such paths', async (t) => {
  const out = temporary();
  // Node's own rmSync recurses for each.
  t.after(() => execFileSync('rm', ['-rf', out]));
  await rejects(run([file(`${'d/'.repeat(4000)}f`, 'x')], out), 'IO');
  await run([file(`${'d/'.repeat(1000)}f`, 'x')], out);
  assert.equal(fs.readFileSync(join(out, `${'d/'.repeat(1000)}f`), 'utf8'), 'x');
});

test('a directory that is not empty is not thrown away for a file', async () => {
  const out = temporary();
  fs.mkdirSync(join(out, 'd'));
  fs.writeFileSync(join(out, 'd/keep'), 'x');
  await rejects(run([file('d', 'file')], out), 'IO');
  assert.deepEqual(fs.readdirSync(out), ['d']);
  assert.equal(fs.readFileSync(join(out, 'd/keep'), 'utf8'), 'x');
});

test('an abort leaves what stood there and no half-written file', async () => {
  const out = temporary();
  fs.writeFileSync(join(out, 'f'), 'old');
  const controller = new AbortController();
  const reason = new ClipError('INTERRUPTED', 'interrupted');
  const slow = {
    async *read() {
      yield Buffer.from('half');
      controller.abort(reason);
      controller.signal.throwIfAborted();
    },
  };
  const files = [file('f', 'half and half'), file('g', 'never')];
  const { signal } = controller;
  await rejects(
    extract(selected(files), { directory: out, reader: readsFiles(slow), observer: silentObserver, signal }),
    'INTERRUPTED',
  );
  assert.deepEqual(fs.readdirSync(out), ['f']);
  assert.equal(fs.readFileSync(join(out, 'f'), 'utf8'), 'old');
});

/** From now on closing a file fails; returns what ends that, as the end of the test does. */
function refuseClose(t: TestContext, code: string): () => void {
  const { closeSync } = fs;
  const end = () => {
    fs.closeSync = closeSync;
  };
  t.after(end);
  fs.closeSync = (fd) => {
    const isFile = fs.fstatSync(fd).isFile();
    closeSync(fd);
    if (isFile) throw Object.assign(new Error('refused'), { code });
  };
  return end;
}

test('a file whose last bytes the disk refuses at its close is not put in place, nor left under another name', async (t) => {
  const out = temporary();
  const end = refuseClose(t, 'EDQUOT');
  await rejects(run([file('f', 'content')], out), 'NO_SPACE');
  end();
  assert.deepEqual(fs.readdirSync(out), []);
});

test('a close that fails while a broken extraction is taken down leaves nothing and hides no error', async (t) => {
  const out = temporary();
  const end = refuseClose(t, 'EIO');
  await rejects(run([file('f', 'short', { size: 100 })], out), 'CORRUPT_LAYER');
  end();
  assert.deepEqual(fs.readdirSync(out), []);
});

test('a file whose data ends early is an error and is not put in place', async () => {
  const out = temporary();
  await rejects(run([file('f', 'short', { size: 100 })], out), 'CORRUPT_LAYER');
  assert.deepEqual(fs.readdirSync(out), []);
});
