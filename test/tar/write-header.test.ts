import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import fc from 'fast-check';
import { extract as tarStreamExtract } from 'tar-stream';
import type { ByteString } from '../../src/bytes.js';
import { readNumber } from '../../src/tar/number.js';
import { encodeTarHeader, paddingOf, type TarMember } from '../../src/tar/write-header.js';
import type { Entry, EntryType } from '../../src/tree/entry.js';
import { entryOf } from '../support/entries.js';
import { endOfArchive } from '../support/tar-builder.js';
import { needs, walkTar } from '../support/tar-walk.js';

const bytes = (text: string) => text as ByteString;

function memberOf(
  fields: Partial<Omit<Entry, 'path' | 'link'>> & { path: string; link?: string },
): TarMember {
  const entry = entryOf(fields);
  const name = bytes(entry.type === 'directory' ? `${entry.path}/` : entry.path);
  return { name, type: entry.type, entry, link: entry.link, size: entry.type === 'file' ? entry.size : 0 };
}

function tarOf(member: TarMember): Buffer {
  const data = Buffer.alloc(member.size + paddingOf(member.size));
  return Buffer.concat([encodeTarHeader(member), data, endOfArchive]);
}

/** Any byte but NUL, which no name holds; slashes where `clean` leaves them. */
const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code));
const component = fc
  .string({ unit: byte, minLength: 1, maxLength: 180 })
  .map((name) => name.replaceAll('/', '_'))
  .filter((name) => name !== '.' && name !== '..');
const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const TYPES: readonly EntryType[] = ['file', 'directory', 'symlink', 'hardlink', 'char', 'block', 'fifo'];
const owner = fc.oneof(fc.constantFrom(0, 2_097_151, 2_097_152, 2 ** 32 - 1), fc.nat({ max: 2 ** 31 - 1 }));
const time = fc.oneof(
  fc.constantFrom(-1, 0, 2 ** 31 - 1, 2 ** 31, 8 ** 11 - 1, 8 ** 11),
  fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
);
const text = fc.string({ unit: byte, maxLength: 60 });

test('any entry is read back as it was by the walk', () => {
  fc.assert(
    fc.property(
      fc.record({
        path,
        type: fc.constantFrom(...TYPES),
        mode: fc.integer({ min: 0, max: 0o7777 }),
        uid: owner,
        gid: owner,
        uname: text,
        gname: text,
        mtime: time,
        mtimeNanos: fc.oneof(fc.constantFrom(0, 1, 999_999_999, 500_000_000), fc.nat({ max: 999_999_999 })),
        size: fc.nat({ max: 2000 }),
        dev: fc.oneof(fc.nat({ max: 300 }), fc.constantFrom(2_097_151, 2_097_152, 2 ** 31)),
        target: fc.oneof(
          path,
          text.filter((link) => link !== ''),
        ),
        xattrs: fc.uniqueArray(
          fc.tuple(
            fc.string({ unit: byte, minLength: 1, maxLength: 20 }),
            fc.string({ unit: byte, maxLength: 40 }),
          ),
          { maxLength: 3, selector: ([name]) => name },
        ),
      }),
      ({ dev, target, xattrs, size, ...fields }) => {
        const { type } = fields;
        const isDevice = type === 'char' || type === 'block';
        const entry = entryOf({
          ...fields,
          uname: bytes(fields.uname),
          gname: bytes(fields.gname),
          size: type === 'file' ? size : 0,
          link: type === 'symlink' ? target : type === 'hardlink' ? fields.path : '',
          devMajor: isDevice ? dev : 0,
          devMinor: isDevice ? dev : 0,
          xattrs: xattrs
            .map(([name, value]) => [bytes(name), bytes(value)] as const)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        });
        const [read] = walkTar(tarOf(memberOf(entry)));
        assert.deepEqual({ ...read, position: 0 }, { ...entry, position: 0 });
      },
    ),
    { numRuns: 2000 },
  );
});

test('sizes of 8 GiB and more, without the data', () => {
  for (const size of [8 ** 11 - 1, 8 ** 11, 2 ** 50]) {
    const header = encodeTarHeader(memberOf({ path: 'large', size }));
    const record = header.toString('latin1').match(/\d+ size=(\d+)\n/)?.[1];
    assert.equal(record, size < 8 ** 11 ? undefined : String(size));
    assert.equal(header.length, size < 8 ** 11 ? 512 : 1536);
  }
});

test('device numbers that an index can have are written so that they are read back, or as 0', () => {
  for (const dev of [2_097_151, 2_097_152, 2 ** 32 - 1, 2 ** 48 - 1, 2 ** 48, 2 ** 53 - 1, -1]) {
    const header = encodeTarHeader(memberOf({ path: 'dev', type: 'char', devMajor: dev, devMinor: dev }));
    assert.equal(header.length, 512);
    const read = [readNumber(header, 329, 8), readNumber(header, 337, 8)];
    assert.deepEqual(read, dev < 0 ? [0, 0] : [dev, dev]);
  }
});

test('what fits into ustar is one block, and tar-stream reads the same of it', async () => {
  const name = `${'p'.repeat(155)}/${'n'.repeat(100)}`;
  for (const fields of [
    { path: name, mode: 0o4755, uid: 2_097_151, gid: 1, mtime: 2 ** 31, size: 3 },
    { path: 'plain', mode: 0, uname: bytes('root'), gname: bytes('wheel'), mtime: 1 },
    { path: 'link', type: 'symlink' as const, link: 't'.repeat(100), mode: 0o777 },
    { path: 'null', type: 'char' as const, devMajor: 1, devMinor: 3 },
  ]) {
    const member = memberOf(fields);
    assert.equal(encodeTarHeader(member).length, 512);
    const extract = tarStreamExtract();
    extract.end(tarOf(member));
    for await (const entry of extract) {
      const { header } = entry;
      assert.equal(header.name, fields.path);
      assert.deepEqual(
        [header.mode, header.uid, header.gid, header.mtime!.getTime() / 1000, header.linkname ?? ''],
        [member.entry.mode, member.entry.uid, member.entry.gid, member.entry.mtime, member.link],
      );
      entry.resume();
    }
  }
});

test('GNU tar lists what is beyond ustar', (t) => {
  if (!needs(t, 'tar')) return;
  const tar = tarOf(
    memberOf({
      path: `${'p'.repeat(156)}/${'n'.repeat(101)}`,
      uid: 3_000_000_000,
      gid: 2_097_152,
      mtime: -2,
      mtimeNanos: 500_000_000,
    }),
  );
  const listed = execFileSync('tar', ['-t', '-v', '--full-time', '--numeric-owner', '-f', '-'], {
    input: tar,
    encoding: 'latin1',
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  assert.match(listed, /^-rw-r--r-- 3000000000\/2097152 +0 1969-12-31 23:59:5\d\.5 p{156}\/n{101}\n$/);
});
