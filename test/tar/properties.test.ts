/** Properties over random tars: what was built is what is walked, whatever the chunks; PAX records survive; tar-stream agrees. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { extract, pack } from 'tar-stream';
import { type ByteString, byteStringToText } from '../../src/bytes.js';
import { readTime } from '../../src/tar/number.js';
import { decodePax, decodeXattrName, encodePax, encodeXattrName } from '../../src/tar/pax.js';
import type { Entry } from '../../src/tree/entry.js';
import { gnuLong, MAGIC, member, pax, sparseMember, tar } from '../support/tar-builder.js';
import { readEntry, walkTar } from '../support/tar-walk.js';

const seed = Number(process.env.CLIP_TEST_SEED ?? 20_261_122);
const options = { seed, numRuns: 300 };

const byte = fc.integer({ min: 0, max: 255 });
const byteString = (max: number) =>
  fc.array(byte, { maxLength: max }).map((list) => String.fromCharCode(...list) as ByteString);
const text = (max: number) => byteString(max).map((name) => name.replaceAll('\0', '') as ByteString);
const component = text(60)
  .map((name) => name.replaceAll('/', '') as string)
  .filter((name) => !['', '.', '..'].includes(name));
const path = fc.array(component, { minLength: 1, maxLength: 6 }).map((list) => list.join('/'));

interface Wanted {
  path: string;
  mode: number;
  uid: number;
  mtime: number;
  uname: string;
  link: string;
  data: Buffer;
  xattrs: Map<string, ByteString>;
  nanos: number;
}

const wanted: fc.Arbitrary<Wanted> = fc.record({
  path,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  mtime: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  uname: text(32),
  link: text(99),
  data: fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes)),
  xattrs: fc
    .uniqueArray(fc.tuple(component, byteString(40)), { selector: ([name]) => name, maxLength: 4 })
    .map((list) => new Map(list)),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
});

const way = fc.constantFrom('pax', 'gnu', 'ustar', 'sparse');

/** One file, in one of the ways in which a tar can say it; the way limits what it can say. */
function build(file: Wanted, how: string): { bytes: Buffer; expected: Partial<Entry>; data: Buffer } {
  const { mode, uid, mtime, uname, data } = file;
  const fields = { mode, uid, mtime, uname };
  const expected = { path: file.path as ByteString, mode, uid, mtime, uname: uname as ByteString };
  const plain = { ...expected, type: 'file', mtimeNanos: 0, xattrs: [], size: data.length } as const;
  if (how === 'gnu') {
    const bytes = Buffer.concat([gnuLong('L', file.path), member({ ...fields, magic: MAGIC.gnu }, data)]);
    return { bytes, expected: plain, data };
  }
  if (how === 'ustar' && file.path.length <= 100) {
    return { bytes: member({ ...fields, name: file.path }, data), expected: plain, data };
  }
  if (how === 'sparse') {
    const form = (['old', '0.0', '0.1', '1.0'] as const)[mode % 4]!;
    const at = uid % 5000;
    const logical = Buffer.concat([Buffer.alloc(at), data, Buffer.alloc(7)]);
    const name = file.path.slice(0, 100).replace(/\/+$/, '');
    const half = data.length >> 1;
    const runs = [
      [at, data.subarray(0, half)],
      [at + half, data.subarray(half)],
    ] as const;
    const bytes = sparseMember(form, { name, size: logical.length, runs }, fields);
    return { bytes, expected: { ...plain, path: name as ByteString, size: logical.length }, data: logical };
  }
  const xattrs = [...file.xattrs].sort(([a], [b]) => (a < b ? -1 : 1)) as [ByteString, ByteString][];
  const time = mtime < 0 && file.nanos > 0 ? [mtime + 1, 1e9 - file.nanos] : [mtime, file.nanos];
  const sign = mtime < 0 && time[0] === 0 ? '-' : '';
  const records: [string, string][] = [
    ['path', file.path],
    ['mtime', `${sign}${time[0]}.${String(time[1]).padStart(9, '0')}`],
    ...xattrs.map(([name, value]): [string, string] => [`SCHILY.xattr.${encodeXattrName(name)}`, value]),
  ];
  const bytes = Buffer.concat([pax(records), member(fields, data)]);
  return { bytes, expected: { ...plain, mtimeNanos: file.nanos, xattrs }, data };
}

const chunks = fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 20 });

test(`random entries in random forms and chunks come out as they went in, seed ${seed}`, () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(wanted, way), { maxLength: 8 }), chunks, (files, sizes) => {
      const built = files.map(([file, how]) => build(file, how));
      const bytes = tar(...built.map((one) => one.bytes));
      const entries = walkTar(bytes, { chunks: sizes });
      assert.equal(entries.length, built.length);
      for (const [i, { expected, data }] of built.entries()) {
        const entry = entries[i]!;
        for (const [key, value] of Object.entries(expected))
          assert.deepEqual(entry[key as keyof Entry], value, key);
        assert.ok(readEntry(bytes, entry).equals(data));
      }
      assert.deepEqual(entries, walkTar(bytes));
    }),
    options,
  );
});

test('PAX records of any bytes survive encoding and decoding, at every length', () => {
  const key = byteString(30).map((name) => `k${name.replace(/[=\0]/g, '')}` as ByteString);
  fc.assert(
    fc.property(fc.array(fc.tuple(key, byteString(200))), (records) => {
      assert.deepEqual(decodePax(encodePax(records)), records);
    }),
    options,
  );
  // Where the length's own digits change its length.
  for (let n = 0; n < 1100; n++) {
    const records = [['k' as ByteString, 'v'.repeat(n) as ByteString]] as const;
    const encoded = encodePax(records);
    assert.equal(Number.parseInt(encoded.toString('latin1'), 10), encoded.length);
    assert.deepEqual(decodePax(encoded), records);
  }
  assert.throws(() => encodePax([['a=b' as ByteString, '' as ByteString]]), TypeError);
  assert.throws(() => encodePax([['' as ByteString, '' as ByteString]]), TypeError);
});

test("xattr names survive GNU tar's escape", () => {
  fc.assert(
    fc.property(byteString(20), (name) => {
      const escaped = encodeXattrName(name);
      assert.ok(!escaped.includes('='));
      assert.equal(decodeXattrName(escaped), name);
    }),
    options,
  );
});

test('times agree with exact arithmetic', () => {
  const digits = fc
    .integer({ min: 0, max: 20 })
    .chain((n) => fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: n, maxLength: n }));
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
      fc.boolean(),
      digits,
      (whole, minus, fraction) => {
        const written = `${minus ? '-' : ''}${Math.abs(whole)}.${fraction}`;
        // In units of 10^-20 seconds, floored to nanoseconds.
        let exact = BigInt(Math.abs(whole)) * 10n ** 20n + BigInt(fraction.padEnd(20, '0') || '0');
        if (minus) exact = -exact;
        const unit = 10n ** 11n;
        const nanos = exact >= 0n ? exact / unit : -((-exact + unit - 1n) / unit);
        const time = readTime(written)!;
        assert.equal(BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanos), nanos, written);
        assert.ok(time.nanos >= 0 && time.nanos < 1e9);
      },
    ),
    options,
  );
});

test('tar-stream reads the same from what it packs, where it is exact', async () => {
  const files = fc.array(
    fc.record({
      name: fc
        .array(fc.stringMatching(/^[a-z0-9é]{1,40}$/), { minLength: 1, maxLength: 7 })
        .map((list) => list.join('/')),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      uid: fc.integer({ min: 0, max: 0o777777 }),
      gid: fc.integer({ min: 0, max: 0o777777 }),
      mtime: fc.integer({ min: 0, max: 2 ** 31 - 1 }).map((seconds) => new Date(seconds * 1000)),
      uname: fc.stringMatching(/^[a-z]{0,31}$/),
      gname: fc.stringMatching(/^[a-z]{0,31}$/),
      type: fc.constantFrom('file', 'directory', 'symlink', 'link', 'fifo'),
      linkname: fc.stringMatching(/^[a-z]{1,150}$/),
      data: fc.string({ maxLength: 1000 }),
    }),
    { minLength: 1, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(files, chunks, async (list, sizes) => {
      const packer = pack();
      for (const { data, ...head } of list) {
        const type = head.type as 'file';
        const linkname = /link/.test(type) ? head.linkname : '';
        packer.entry({ ...head, type, linkname, size: 0 }, type === 'file' ? data : '');
      }
      packer.finalize();
      const parts: Buffer[] = [];
      for await (const part of packer) parts.push(part as Buffer);
      const bytes = Buffer.concat(parts);
      const theirs: unknown[] = [];
      const reader = extract();
      reader.end(bytes);
      for await (const one of reader) {
        const { name, mode, uid, gid, mtime, uname, gname, type, linkname, size } = one.header;
        const slash = name.replace(/\/$/, '');
        const data: Buffer[] = [];
        for await (const part of one) data.push(part as Buffer);
        const seconds = mtime!.getTime() / 1000;
        theirs.push([
          slash,
          mode,
          uid,
          gid,
          seconds,
          uname,
          gname,
          type,
          linkname ?? '',
          size,
          Buffer.concat(data).toString(),
        ]);
      }
      const ours = walkTar(bytes, { chunks: sizes }).map((entry) => [
        byteStringToText(entry.path),
        entry.mode,
        entry.uid,
        entry.gid,
        entry.mtime,
        entry.uname,
        entry.gname,
        entry.type === 'hardlink' ? 'link' : entry.type,
        entry.link,
        entry.size,
        readEntry(bytes, entry).toString(),
      ]);
      assert.deepEqual(ours, theirs);
    }),
    { seed, numRuns: 60 },
  );
});
