import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import { createImageFs } from '../../src/read/fs.js';
import { fakeImage, noise } from '../support/fake-image.js';
import { type Reading, reading } from '../support/reading.js';

const big = noise(500_000, 4);
const files = {
  etc: 'directory',
  'etc/hostname': Buffer.from('clip\n'),
  'etc/link': { symlink: 'hostname' },
  'etc/absolute': { symlink: '/etc/hostname' },
  'etc/nowhere': { symlink: 'not-there' },
  'etc/loop': { symlink: 'loop' },
  'etc/sub': 'directory',
  'etc/sub/größe': noise(10),
  big,
  here: { symlink: 'etc' },
} as const;

function open(): Reading & { fs: ReturnType<typeof createImageFs> } {
  const made = reading(fakeImage([{ files }]));
  return { ...made, fs: createImageFs(made.reader) };
}

const withCode = (code: string) => (error: unknown) => {
  assert.ok(error instanceof Error && 'code' in error, String(error));
  assert.equal(error.code, code);
  if (code !== 'EROFS') assert.ok('syscall' in error && 'path' in error && 'errno' in error);
  return true;
};

test('readFile gives the bytes or text, through links', async () => {
  const { fs } = open();
  assert.equal(await fs.readFile('/etc/hostname', 'utf8'), 'clip\n');
  assert.equal(await fs.readFile('etc/link', { encoding: 'utf8' }), 'clip\n');
  assert.equal(await fs.readFile('/here/absolute', 'latin1'), 'clip\n');
  assert.ok((await fs.readFile(Buffer.from('/big'))).equals(big));
  assert.ok((await fs.promises.readFile('/etc/sub/größe')).equals(noise(10)));
});

test('what readFile gives is the caller’s own', async () => {
  const { fs } = open();
  for (let i = 0; i < 3; i++) {
    const bytes = await fs.readFile('/etc/hostname');
    assert.equal(bytes.toString(), 'clip\n');
    bytes.fill(0);
  }
});

test('errors carry node’s codes and the ClipError as cause', async () => {
  const { fs } = open();
  await assert.rejects(fs.readFile('/etc/none'), (error) => {
    assert.ok(error instanceof Error && isClipError(error.cause, 'PATH_NOT_FOUND'));
    assert.match(error.message, /^ENOENT: no such file or directory, open '\/etc\/none'$/);
    return withCode('ENOENT')(error);
  });
  await assert.rejects(fs.readFile('/etc'), withCode('EISDIR'));
  await assert.rejects(fs.readFile('/etc/hostname/x/y'), withCode('ENOTDIR'));
  await assert.rejects(fs.readFile('/etc/nowhere'), withCode('ENOENT'));
  await assert.rejects(fs.readFile('/etc/link/.'), withCode('ENOTDIR'));
  await assert.rejects(fs.stat('/etc/none/../hostname'), withCode('ENOENT'));
  await assert.rejects(fs.stat('/etc/loop'), withCode('ELOOP'));
  await assert.rejects(fs.readdir('/etc/hostname'), withCode('ENOTDIR'));
  await assert.rejects(fs.readlink('/etc/hostname'), withCode('EINVAL'));
  await assert.rejects(fs.open('/etc/hostname', 'w'), withCode('EROFS'));
  await assert.rejects(fs.access('/etc/hostname', 2), withCode('EROFS'));
  await assert.rejects(fs.access('/etc/hostname', 1), withCode('EACCES'));
  assert.equal(await fs.exists('/etc/none'), false);
  assert.equal(await fs.exists('/etc/link'), true);
});

test('a link through a file is ENOTDIR, as for the kernel', async () => {
  const { reader } = reading(fakeImage([{ files: { file: Buffer.from('x'), link: { symlink: 'file/x' } } }]));
  const fs = createImageFs(reader);
  for (const path of ['/link', '/link/y', '/file/', '/file/..'])
    await assert.rejects(fs.stat(path), withCode('ENOTDIR'));
  assert.ok((await fs.lstat('/link')).isSymbolicLink());
});

test('stat, lstat, readlink and realpath', async () => {
  const { fs } = open();
  const stat = await fs.stat('/here/link');
  assert.ok(stat.isFile() && !stat.isSymbolicLink() && !stat.isDirectory());
  assert.equal(stat.size, 5);
  assert.equal(stat.mode, 0o100644);
  assert.equal(stat.mtimeMs, 1_700_000_000_500);
  assert.equal(stat.mtime.getTime(), 1_700_000_000_500);
  const lstat = await fs.lstat('/here/link');
  assert.ok(lstat.isSymbolicLink());
  assert.equal(lstat.size, 8);
  assert.equal(lstat.mode, 0o120777);
  assert.notEqual(lstat.ino, stat.ino);
  assert.equal((await fs.stat('/etc/hostname')).ino, stat.ino);
  assert.equal(await fs.readlink('/etc/link'), 'hostname');
  assert.deepEqual(await fs.readlink('/etc/link', 'buffer'), Buffer.from('hostname'));
  assert.equal(await fs.realpath('/here/link'), '/etc/hostname');
  assert.equal(await fs.realpath('/'), '/');
  assert.ok((await fs.stat('/')).isDirectory());
});

test('readdir: names, entries with types, recursive, bytes', async () => {
  const { fs } = open();
  assert.deepEqual(await fs.readdir('/'), ['big', 'etc', 'here']);
  assert.deepEqual(await fs.readdir('/here/sub'), ['größe']);
  assert.deepEqual(await fs.readdir('/etc/sub', 'buffer'), [Buffer.from('größe')]);
  const entries = await fs.readdir('/etc', { withFileTypes: true, recursive: true });
  assert.deepEqual(
    entries.map((entry) => [entry.parentPath, entry.name, entry.isDirectory(), entry.isSymbolicLink()]),
    [
      ['/etc', 'absolute', false, true],
      ['/etc', 'hostname', false, false],
      ['/etc', 'link', false, true],
      ['/etc', 'loop', false, true],
      ['/etc', 'nowhere', false, true],
      ['/etc', 'sub', true, false],
      ['/etc/sub', 'größe', false, false],
    ],
  );
});

test('createReadStream honours start, end and highWaterMark, and ends early when destroyed', async () => {
  const { fs } = open();
  const chunks: Buffer[] = [];
  for await (const chunk of fs.createReadStream('/big', { start: 10, end: 300_009, highWaterMark: 10_000 })) {
    chunks.push(chunk);
  }
  assert.ok(chunks.every((chunk) => chunk.byteLength <= 10_000));
  assert.ok(Buffer.concat(chunks).equals(big.subarray(10, 300_010)));
  for await (const chunk of fs.createReadStream('/big')) {
    assert.ok(chunk.byteLength <= 65_536);
    break;
  }
  await assert.rejects(async () => {
    for await (const _ of fs.createReadStream('/none')) assert.fail('data');
  }, withCode('ENOENT'));
  let text = '';
  for await (const chunk of fs.createReadStream('/etc/hostname', 'utf8')) text += chunk;
  assert.equal(text, 'clip\n');
});

test('a file handle reads at positions and one after the other', async () => {
  const { fs } = open();
  const handle = await fs.open('/big');
  const buffer = Buffer.alloc(1000);
  for (let round = 0; round < 3; round++) {
    const { bytesRead } = await handle.read(buffer, 100, 800, 70_000);
    assert.equal(bytesRead, 800);
    assert.ok(buffer.subarray(100, 900).equals(big.subarray(70_000, 70_800)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await handle.read(buffer)).bytesRead, 1000);
  assert.equal((await handle.read(buffer)).bytesRead, 1000);
  assert.ok(buffer.equals(big.subarray(1000, 2000)));
  assert.equal((await handle.read(buffer, 0, 1000, 499_990)).bytesRead, 10);
  assert.equal((await handle.read(buffer, 0, 1000, 500_000)).bytesRead, 0);
  assert.equal((await handle.stat()).size, 500_000);
  // As in Node, what is left from here, and then nothing.
  assert.ok((await handle.readFile()).equals(big.subarray(2000)));
  assert.equal((await handle.readFile()).length, 0);
  assert.equal((await handle.read(buffer)).bytesRead, 0);
  await handle.close();
  await assert.rejects(handle.read(buffer), withCode('EBADF'));
});

test('warm reads of the fast path are counted like others', async () => {
  const { fs, receipt } = open();
  for (let i = 0; i < 10; i++) {
    await fs.readFile('/etc/hostname');
    await new Promise((resolve) => setImmediate(resolve));
  }
  const sums = receipt.toJSON();
  assert.equal(sums.reads, 10);
  assert.equal(sums.bytesRead, 50);
  assert.equal(sums.lookups, 10);
  assert.equal(sums.hits.memory, 9);
  assert.equal(sums.inflates, 1);
});
