/** Where tar readers differ: what clip does is what umoci, and so Go's archive/tar, does. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import {
  base256,
  gnuLong,
  header,
  MAGIC,
  member,
  pad,
  pax,
  sparseMember,
  tar,
} from '../support/tar-builder.js';
import { needs, needsRoot, readEntry, testDir, walkTar } from '../support/tar-walk.js';
import { umociUnpack } from '../support/umoci-unpack.js';

const last = member({ name: 'last' }, 'z');
const file = member({ name: 'f' }, 'data');
const runs = [
  [100, Buffer.from('one')],
  [5000, Buffer.alloc(700, 2)],
] as const;

/** Each: the members of a layer that both read alike, or both refuse. */
const ALIKE: Record<string, Buffer[]> = {
  'type 0 with a slash is a file': [member({ name: 'a/', type: '0' }, 'xx')],
  'v7 type with a slash is a directory without data': [header({ name: 'a/', type: '\0', size: 100 })],
  'v7 type with a slash and data': [member({ name: 'a/', type: '\0' }, 'xx')],
  'a hard link has no data': [file, header({ name: 'h', type: '1', link: 'f', size: 5 })],
  'a hard link with a PAX size has no data': [
    file,
    pax([['size', '5']]),
    header({ name: 'h', type: '1', link: 'f' }),
  ],
  'a hard link with data': [file, member({ name: 'h', type: '1', link: 'f' }, 'xx')],
  'a directory has no data': [header({ name: 'd', type: '5', size: 512 })],
  'a symlink has no data': [header({ name: 's', type: '2', link: 'f', size: 512 })],
  'a GNU long name wins over PAX': [gnuLong('L', 'gnu'), pax([['path', 'pax']]), member({})],
  'an empty PAX value': [
    pax([
      ['path', ''],
      ['mtime', ''],
    ]),
    member({ mtime: 5 }),
  ],
  'PAX with a NUL behind': [pax(Buffer.from('12 path=abc\n\0\0')), member({})],
  'PAX path with a NUL': [pax([['path', 'a\0b']]), member({})],
  'the second of two PAX headers': [pax([['path', 'one']]), pax([['mtime', '5']]), member({ name: 'n' })],
  'a PAX header at the end': [file, pax([['path', 'p']])],
  'a name of the root': [member({ name: '.' }, 'x')],
  'names with dots': [
    member({ name: '../../e' }),
    member({ name: 'q/../w' }),
    member({ name: '/abs//x/./y' }),
  ],
  'names that are not UTF-8': [member({ name: 'a\xff\xfe' }, 'x'), pax([['path', 'b\xff']]), member({}, 'y')],
  'blank numbers': [member({ uid: '        ', gid: '\0\0\0\0\0\0\0\0', mtime: '           \0' }, 'x')],
  'a number with a NUL ahead': [member({ mode: '\x000600 \0' })],
  'a number that is none': [member({ mode: '0x644\0\0' })],
  'base 256': [member({ uid: base256(3_000_000, 8), mtime: base256(-5, 12) }, 'x')],
  'a negative time': [pax([['mtime', '-1.25']]), member({}, 'x')],
  'a v7 device has no number': [member({ type: '3', magic: MAGIC.v7, devMajor: 1, devMinor: 3 })],
  'a device': [member({ type: '3', devMajor: 1, devMinor: 3, mode: 0o600 })],
  'a lone zero block and more': [file, Buffer.alloc(512), last],
  'a PAX size over the header': [pax([['size', '4']]), header({ size: 0 }), pad(Buffer.from('four'))],
  'a prefix in a GNU header': [member({ magic: MAGIC.gnu, prefix: 'var/lib' }, 'x')],
  'S without GNU magic': [member({ type: 'S' }, 'x')],
  'a PAX mtime that is none': [pax([['mtime', 'x']]), member({})],
  'a map that overlaps': [
    sparseMember('0.1', {
      name: 's',
      size: 99,
      runs: [
        [5, Buffer.from('a')],
        [0, Buffer.from('b')],
      ],
    }),
  ],
  // Go reads old GNU sparse files too, but umoci knows no type 'S'.
  ...Object.fromEntries(
    (['0.0', '0.1', '1.0'] as const).map((form) => [
      `sparse ${form}`,
      [sparseMember(form, { name: 's', size: 9000, runs }, { mode: 0o640 })],
    ]),
  ),
};

for (const [name, members] of Object.entries(ALIKE)) {
  test(`as umoci: ${name}`, (t: TestContext) => {
    if (!needs(t, 'umoci') || !needsRoot(t)) return;
    const bytes = tar(...members, last);
    const disk = umociUnpack(testDir(t), bytes);
    let entries: ReturnType<typeof walkTar>;
    try {
      entries = walkTar(bytes);
    } catch (error) {
      assert.ok(isClipError(error));
      assert.equal(disk, undefined, `umoci unpacks what clip refuses: ${error.message}`);
      return;
    }
    assert.ok(disk, 'umoci refuses what clip reads');
    const named = new Set(entries.map(({ path }) => path as string));
    // What else is there are parents that no entry names.
    for (const [path, { type }] of disk) assert.ok(named.has(path) || type === 'directory', path);
    for (const entry of entries) {
      const node = disk.get(entry.path);
      assert.ok(node, `no ${entry.path} on disk`);
      if (entry.type === 'hardlink') {
        assert.equal(node.inode, disk.get(entry.link)!.inode);
        continue;
      }
      assert.equal(node.type, entry.type);
      assert.equal(node.link, entry.link);
      if (entry.type !== 'symlink') assert.equal(node.mode, entry.mode);
      assert.deepEqual([node.uid, node.gid, node.size], [entry.uid, entry.gid, entry.size]);
      assert.equal(node.mtimeNs, BigInt(entry.mtime) * 1_000_000_000n + BigInt(entry.mtimeNanos));
      if (entry.type === 'file') assert.ok(readEntry(bytes, entry).equals(node.data));
      if (entry.type === 'char') assert.equal(node.rdev, (entry.devMajor << 8) | entry.devMinor);
    }
  });
}
