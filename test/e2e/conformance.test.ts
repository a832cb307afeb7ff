// One image with all that makes images hard, made by dpkg, GNU tar, bsdtar and umoci: what `clip export` and `clip extract` give
// of it, compared whole with what umoci unpacks; and the same export however the layers are packed.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { listTree } from '../support/list-tree.js';
import { has } from '../support/needs.js';
import { type Packer, repackImage } from '../support/repack-image.js';
import { clip, root, run } from '../support/run-clip.js';
import { readEntry, walkTar } from '../support/tar-walk.js';

const TOOLS = [
  'umoci',
  'dpkg-deb',
  'bsdtar',
  'setcap',
  'setfattr',
  'getfattr',
  'pigz',
  'zstd',
  'openssl',
  'python3',
];
const missing = TOOLS.filter((program) => !has(program));
const skip =
  missing.length > 0 ? `needs ${missing.join(', ')}` : process.getuid?.() !== 0 ? 'needs root' : false;

const LAYERS = 8;

/** Attributes without a value, and names with GNU tar's escapes, are lost or changed in Go's archive/tar, which umoci is built on. */
const GO_LOSES = /^# file: kept\/attributed user\.(empty|name with )/;

/** Tells just the lines that differ. */
function assertSame(actual: readonly string[], expected: readonly string[]): void {
  const only = (these: readonly string[], those: readonly string[]) =>
    these.filter((line) => !those.includes(line));
  assert.deepEqual({ more: only(actual, expected), less: only(expected, actual) }, { more: [], less: [] });
  assert.equal(actual.length, expected.length);
}

describe('a hard image', { skip }, () => {
  let work: string;
  let tars: string[];
  let truth: string[];
  let exported: Buffer;

  const exportOf = async (layout: string, ...more: string[]): Promise<Buffer> => {
    const done = await clip(['export', `oci:${layout}`, ...more], { cacheDir: join(work, 'cache') });
    assert.equal(done.status, 0, done.stderr);
    return done.stdout;
  };

  const unpack = async (program: string, args: string[]): Promise<string[]> => {
    const folder = mkdtempSync(join(work, 'unpacked-'));
    const done = await run(program, [...args, '-C', folder, '-f', '-'], { input: exported });
    assert.equal(done.status, 0, done.stderr);
    const list = listTree(folder);
    rmSync(folder, { recursive: true });
    return list;
  };

  before(async () => {
    work = mkdtempSync(join(tmpdir(), 'clip-conformance-'));
    const made = await run('bash', [join(root, 'test/support/make-conformance-image.sh'), work]);
    assert.equal(made.status, 0, made.stderr);
    tars = Array.from({ length: LAYERS }, (_, i) => join(work, `layer-${i + 1}.tar`));
    const unpacked = await run('umoci', [
      'raw',
      'unpack',
      '--image',
      `${work}/image:gzip`,
      join(work, 'umoci'),
    ]);
    assert.equal(unpacked.status, 0, unpacked.stderr);
    truth = listTree(join(work, 'umoci'));
    exported = await exportOf(join(work, 'image'));
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  test('the image has what it is for', () => {
    const text = truth.join('\n');
    for (const what of [
      /"usr\/bin\/odd" file 4755/,
      /"usr\/bin\/game" file 2755 0:60/,
      /"tmp" directory 1777/,
      / char /,
      / block /,
      / fifo /,
      /1000000:3000000000/,
      /security\.capability=0x/,
      /user\.binary=0x00ff0a3d0d80/,
      /"names\/not utf-8 ÿþ"/,
      /"names\/newline\\nin it"/,
      /"usr\/bin\/behind"/,
      /"links\/to-a-lower-layer".*\["links\/to-a-lower-layer","usr\/bin\/odd","usr\/bin\/odd-by-another-name"\]/,
      /\["links\/b","links\/c","links\/d"\]/,
      /\["links\/symbolic","links\/symbolic-too"\]/,
      / -2147471999500000000 /,
    ]) {
      assert.match(text, what);
    }
    for (const gone of [/odd\.conf"/, /cache\/one/, /"links\/a"/, /usr\/share\/doc\/odd/]) {
      assert.doesNotMatch(text.replace(/^.*link.*$/gm, ''), gone);
    }
  });

  test('clip export through GNU tar is what umoci unpacks', async () => {
    const list = await unpack('tar', [
      '--extract',
      '--preserve-permissions',
      '--numeric-owner',
      '--xattrs',
      '--xattrs-include=*',
      '--warning=no-timestamp',
    ]);
    assertSame(
      list.filter((line) => !GO_LOSES.test(line)),
      truth.filter((line) => !GO_LOSES.test(line)),
    );
    // What the file had on the machine that the layer was made on.
    assert.deepEqual(
      list.filter((line) => GO_LOSES.test(line)).map((line) => line.slice('# file: kept/attributed '.length)),
      ['user.empty=0x', 'user.name with \\075 and %=0x78'],
    );
  });

  test('clip export through bsdtar is too, but for times before 1970 and that of the root, which bsdtar sets wrongly', async () => {
    const apart = (list: string[]) =>
      list.filter((line) => !/^("" |"meta\/time 19[06])/.test(line) && !GO_LOSES.test(line));
    const list = await unpack('bsdtar', ['-x', '-p', '--numeric-owner']);
    assertSame(apart(list), apart(truth));
  });

  test('Python reads the same names, sizes and bytes', async () => {
    const script = `
import hashlib, sys, tarfile
for m in tarfile.open(fileobj=sys.stdin.buffer, mode='r|', encoding='latin-1'):
    if m.isreg(): print(ascii(m.name), m.size)
`;
    const done = await run('python3', ['-c', script], { input: exported });
    assert.equal(done.status, 0, done.stderr);
    const files = walkTar(exported).filter((entry) => entry.type === 'file');
    assert.equal(done.stdout.toString().trim().split('\n').length, files.length);
  });

  test("clip's own walk reads it back, every byte", () => {
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    for (const entry of walkTar(exported)) {
      if (entry.type !== 'file') continue;
      const line = truth.find((name) => name.startsWith(`${JSON.stringify(entry.path)} file `));
      assert.ok(line?.includes(digest(readEntry(exported, entry))), entry.path);
    }
  });

  test('clip extract gives the same, but for what it says it cannot carry over', async () => {
    const folder = join(work, 'extracted');
    mkdirSync(folder);
    const done = await clip(['extract', `oci:${work}/image`, '-C', folder], {
      cacheDir: join(work, 'cache'),
    });
    assert.equal(done.status, 0, done.stderr);
    const carried = (list: string[]) =>
      list.map(withoutNanos).filter((line) => !/ (char|block|fifo) |^# file/.test(line));
    assertSame(carried(listTree(folder)), carried(truth));
    assert.match(done.stderr, /2 devices/);
  });

  const packings: Record<string, Packer[]> = {
    'gzip -6': ['gzip'],
    'pigz -i': ['pigz'],
    'members of 64 KiB': ['members'],
    zstd: ['zstd'],
    plain: ['plain'],
    mixed: ['zstd', 'members', 'plain', 'gzip', 'pigz'],
  };
  for (const [name, packers] of Object.entries(packings)) {
    test(`the export is the same, byte for byte, with layers as ${name}`, async () => {
      const layout = join(work, `image ${name}`);
      repackImage(join(work, 'image'), layout, { tars, packers });
      assert.ok((await exportOf(layout)).equals(exported));
    });
  }

  test('and from every strategy and without caches', async () => {
    for (const flags of [
      ['--strategy', 'layer'],
      ['--strategy', 'span', '--no-cache', '--memory-cache', '0'],
    ]) {
      assert.ok((await exportOf(join(work, 'image'), ...flags)).equals(exported), flags.join(' '));
    }
  });

  test('clip verify finds that it holds', async () => {
    const done = await clip(['verify', `oci:${work}/image`], { cacheDir: join(work, 'cache') });
    assert.equal(done.status, 0, done.stdout.toString() + done.stderr);
  });

  test('a part of the image: the names that were chosen, links among them still links', async () => {
    const part = await exportOf(join(work, 'image'), '/links', '/usr/bin/odd*');
    const members = walkTar(part).map(({ path, type, link }) => `${path} ${type} ${link}`);
    assert.ok(members.includes('usr/bin/odd hardlink links/to-a-lower-layer'), members.join('\n'));
    assert.ok(
      members.every((member) => /^(links|usr\/bin\/odd)/.test(member)),
      members.join('\n'),
    );
  });

  test('the tar ends as POSIX asks', () => {
    assert.ok(exported.length % 512 === 0);
    assert.ok(exported.subarray(-1024).every((byte) => byte === 0));
  });
});

/** Node sets times in doubles of seconds: what is below a microsecond is lost. */
function withoutNanos(line: string): string {
  return line.replace(/ (-?\d+)\d{3} (\d+ ")/, ' $1 $2');
}
