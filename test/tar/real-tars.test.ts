/** One odd tree, written by GNU tar and bsdtar in every format they know, against what the same program extracts to disk. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Entry } from '../../src/tree/entry.js';
import {
  type DiskNode,
  needs,
  readEntry,
  readTree,
  readXattrs,
  testDir,
  walkTar,
} from '../support/tar-walk.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');

/** A tree of what tars have trouble with. `long`: names over 100 bytes; `xattrs`: where the file system has them. */
function makeTree(root: string, { long }: { long: boolean }): { xattrs: boolean } {
  const at = (name: string) => bytes(join(root, name));
  const file = (name: string, data: Buffer | string) => writeFileSync(at(name), data);
  mkdirSync(at('dir/empty'), { recursive: true });
  for (const size of [0, 1, 511, 512, 513, 100_000]) file(`dir/size-${size}`, Buffer.alloc(size, size % 251));
  for (const name of [
    '__proto__',
    'constructor',
    ' blank ',
    '%41',
    'a=b',
    '\xff\xfe\x80',
    'new\nline',
    '\xc3\xbc',
    'back\\slash',
  ]) {
    file(`dir/${name}`, name);
  }
  symlinkSync('size-513', at('dir/relative'));
  symlinkSync('/etc/../passwd//', at('dir/absolute'));
  symlinkSync(bytes('no\xffwhere'), at('dir/dangling'));
  linkSync(at('dir/size-513'), at('dir/hard'));
  linkSync(at('dir/size-513'), at('hard-above'));
  execFileSync('mkfifo', [join(root, 'fifo')]);
  file('setuid', 'x');
  chmodSync(at('setuid'), 0o6755);
  mkdirSync(at('sticky'));
  chmodSync(at('sticky'), 0o1777);
  execFileSync('truncate', ['-s', '3M', join(root, 'sparse')]);
  for (let i = 0; i < 30; i++) {
    const seek = ['bs=1', `seek=${i * 100_000}`, 'conv=notrunc', 'status=none'];
    execFileSync('dd', [`of=${join(root, 'sparse')}`, ...seek], { input: `run ${i}` });
  }
  execFileSync('truncate', ['-s', '1M', join(root, 'all-hole')]);
  file('old', 'before 1970');
  lutimesSync(at('old'), -86400.25, -86400.25);
  if (long) {
    const deep = `${'d'.repeat(120)}/${'e'.repeat(130)}`;
    mkdirSync(at(deep), { recursive: true });
    file(`${deep}/${'f'.repeat(200)}`, 'deep');
    symlinkSync('t'.repeat(300), at('long-link'));
    linkSync(at(`${deep}/${'f'.repeat(200)}`), at('link-to-deep'));
  } else {
    mkdirSync(at(`${'p'.repeat(80)}`));
    file(`${'p'.repeat(80)}/${'q'.repeat(14)}`, 'under 100');
  }
  if (process.getuid?.() === 0) {
    execFileSync('mknod', [join(root, 'char'), 'c', '5', '300']);
    execFileSync('mknod', [join(root, 'block'), 'b', '259', '7']);
    execFileSync('chown', ['1234567:54321', join(root, 'setuid')]);
    chmodSync(at('setuid'), 0o6755);
  }
  const set = ['-n', 'user.binary', '-v', '0x000a3dff0a00', join(root, 'setuid')];
  return { xattrs: spawnSync('setfattr', set).status === 0 };
}

function compare(tar: Buffer, entries: readonly Entry[], disk: Map<string, DiskNode>): void {
  const last = new Map(entries.map((entry) => [entry.path as string, entry]));
  assert.deepEqual([...last.keys()].sort(), [...disk.keys()].sort());
  for (const [path, node] of disk) {
    let entry = last.get(path)!;
    if (entry.type === 'hardlink') {
      const target = last.get(entry.link);
      assert.ok(target, `${path} links to ${entry.link}`);
      assert.equal(node.inode, disk.get(entry.link)!.inode);
      entry = target;
    }
    const seen = { ...entry, mtimeNs: BigInt(entry.mtime) * 1_000_000_000n + BigInt(entry.mtimeNanos) };
    for (const key of ['type', 'mode', 'uid', 'gid', 'size', 'link', 'mtimeNs'] as const) {
      // bsdtar leaves the time of the directory that it extracts into.
      if (path === '' && key === 'mtimeNs') continue;
      assert.equal(seen[key], node[key], `${key} of ${JSON.stringify(path)}`);
    }
    if (node.type === 'char' || node.type === 'block') {
      assert.equal(node.rdev, makedev(entry.devMajor, entry.devMinor), path);
    }
    if (node.type === 'file') assert.ok(readEntry(tar, entry).equals(node.data), `data of ${path}`);
  }
}

function makedev(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
}

interface Producer {
  program: 'tar' | 'bsdtar';
  format: string;
  create: string[];
  long: boolean;
  /** Whether the format carries xattrs, and whether it must show runs of the sparse file. */
  xattrs?: boolean;
  sparse?: boolean;
}

const GNU_XATTRS = ['--xattrs', '--xattrs-include=*'];
const PRODUCERS: Producer[] = [
  { program: 'tar', format: 'v7', create: ['--format=v7'], long: false },
  { program: 'tar', format: 'oldgnu', create: ['--format=oldgnu', '--sparse'], long: true, sparse: true },
  { program: 'tar', format: 'gnu', create: ['--format=gnu', '--sparse'], long: true, sparse: true },
  { program: 'tar', format: 'ustar', create: ['--format=ustar'], long: false },
  ...['0.0', '0.1', '1.0'].map(
    (version): Producer => ({
      program: 'tar',
      format: `posix, sparse ${version}`,
      create: ['--format=posix', '--sparse', `--sparse-version=${version}`, ...GNU_XATTRS],
      long: true,
      xattrs: true,
      sparse: true,
    }),
  ),
  { program: 'bsdtar', format: 'ustar', create: ['--format=ustar'], long: false },
  { program: 'bsdtar', format: 'gnutar', create: ['--format=gnutar'], long: true },
  {
    program: 'bsdtar',
    format: 'pax',
    create: ['--format=pax', '--xattrs', '--read-sparse', '--options=hdrcharset=BINARY'],
    long: true,
    xattrs: true,
    sparse: true,
  },
];

for (const producer of PRODUCERS) {
  test(`${producer.program} ${producer.format}: entries, metadata and bytes as it extracts them`, (t) => {
    if (!needs(t, producer.program) || !needs(t, 'setfattr')) return;
    const dir = testDir(t);
    const has = makeTree(makeDir(dir, 'tree'), { long: producer.long });
    const file = join(dir, 'it.tar');
    // Formats that cannot carry a device number or a time leave that member out with a complaint; the rest is compared.
    run(t, producer.program, [...producer.create, '-cf', file, '-C', join(dir, 'tree'), '.']);
    const out = makeDir(dir, 'out');
    const restore =
      producer.program === 'tar' ? ['--numeric-owner', ...GNU_XATTRS] : ['--numeric-owner', '--xattrs'];
    run(t, producer.program, ['-xpf', file, '-C', out, ...restore]);
    const tar = readFileSync(file);
    const entries = walkTar(tar);
    compare(tar, entries, readTree(out));
    const find = (path: string) => entries.find((entry) => entry.path === path)!;
    if (producer.sparse) assert.ok(find('sparse').extents!.length >= 30, 'runs of the sparse file');
    if (producer.sparse) assert.equal(find('all-hole').extents!.length, 0);
    if (producer.xattrs && has.xattrs) {
      const disk = readXattrs(join(out, 'setuid'));
      const seen = find('setuid').xattrs.map(([name, value]) => [name, bytes(value).toString('hex')]);
      assert.deepEqual(Object.fromEntries(seen), disk);
      assert.equal(disk['user.binary'], '000a3dff0a00');
    }
  });
}

function makeDir(dir: string, name: string): string {
  mkdirSync(join(dir, name));
  return join(dir, name);
}

function run(t: TestContext, program: string, args: string[]): void {
  const { status, stderr } = spawnSync(program, args, {
    encoding: 'latin1',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  if (status !== 0) t.diagnostic(`${program} ${args[0]}: ${stderr.trim()}`);
}
