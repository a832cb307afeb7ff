/** Tars made to harm: anything but entries or a typed error, or more memory than the bounds allow, is a bug. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import { TAR_LIMITS } from '../../src/tar/limits.js';
import { createTarWalker } from '../../src/tar/walk.js';
import { comparePaths, type Entry, extentsOf } from '../../src/tree/entry.js';
import { gnuLong, header, MAGIC, member, pad, pax, sign, sparseMember, tar } from '../support/tar-builder.js';
import { walkTar } from '../support/tar-walk.js';

const SEED = Number(process.env.CLIP_TEST_SEED ?? 20_261_122);

/** mulberry32: small, seeded, good enough to spread mutations. */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const run = Buffer.alloc(20, 'r');
const SAMPLES = [
  member({ name: 'a/b', uname: 'root', gname: 'root', prefix: 'usr/lib' }, 'data'),
  Buffer.concat([
    gnuLong('L', 'l'.repeat(700)),
    gnuLong('K', 'k'.repeat(300)),
    member({ type: '2', magic: MAGIC.gnu }),
  ]),
  Buffer.concat([
    pax([['mtime', '-1.5']], 'g'),
    pax([
      ['path', 'p'],
      ['SCHILY.xattr.user.x', '\0\n='],
    ]),
    member({ type: '5' }),
  ]),
  ...(['old', '0.0', '0.1', '1.0'] as const).map((form) =>
    sparseMember(form, {
      name: 's',
      size: 90_000,
      runs: Array.from({ length: 9 }, (_, i) => [i * 1000, run]),
    }),
  ),
  member({ type: '3', devMajor: 1, devMinor: 3 }),
  member({ type: '1', link: 'a/b' }),
];

/** The promises of `Entry` that hold for whatever comes in. */
function check(entry: Entry, last: number, length: number): void {
  assert.match(`/${entry.path}/`.replaceAll('\n', 'n'), /^\/(?:(?!\.{1,2}\/)[^/]+\/)*$|^\/\/$/);
  assert.ok(entry.position > last);
  assert.ok(entry.mode >= 0 && entry.mode <= 0o7777);
  assert.ok(Number.isSafeInteger(entry.mtime));
  assert.ok(entry.mtimeNanos >= 0 && entry.mtimeNanos < 1e9);
  for (const id of [entry.uid, entry.gid, entry.devMajor, entry.devMinor])
    assert.ok(id >= 0 && id < 2 ** 32 && Number.isInteger(id));
  assert.ok(Number.isSafeInteger(entry.size) && entry.size >= 0);
  let reached = 0;
  for (const { logical, offset, length: bytes } of extentsOf(entry)) {
    assert.ok(logical >= reached && bytes > 0 && logical + bytes <= entry.size);
    assert.ok(offset >= entry.position && offset + bytes <= length + 2 ** 53);
    reached = logical + bytes;
  }
}

function survive(bytes: Buffer, what: string): 'entries' | 'refused' {
  let last = -1;
  const walker = createTarWalker({
    entry(entry) {
      check(entry, last, bytes.length);
      last = entry.position;
    },
  });
  try {
    walker.push(bytes);
    walker.end();
    return 'entries';
  } catch (error) {
    assert.ok(isClipError(error), `${what}: ${(error as Error).stack}`);
    assert.ok(['CORRUPT_TAR', 'LIMIT', 'UNSUPPORTED'].includes(error.code), what);
    assert.throws(() => walker.push(bytes), error);
    assert.throws(() => walker.end(), error);
    return 'refused';
  }
}

test('every byte of every block flipped, with and without the checksum mended', () => {
  const outcomes = { entries: 0, refused: 0 };
  for (const [i, sample] of SAMPLES.entries()) {
    const bytes = tar(sample);
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 0xff, bytes[at]! ^ 1]) {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        if (at % 2 === 0) sign(changed.subarray(at - (at % 512), at - (at % 512) + 512));
        outcomes[survive(changed, `sample ${i}, byte ${at} = ${value}`)]++;
      }
    }
  }
  assert.ok(outcomes.entries > 1000 && outcomes.refused > 1000, JSON.stringify(outcomes));
});

test(`random damage, seed ${SEED}`, () => {
  const below = random(SEED);
  for (let round = 0; round < 20_000; round++) {
    const bytes = tar(...Array.from({ length: 1 + below(3) }, () => SAMPLES[below(SAMPLES.length)]!));
    for (let n = 1 + below(6); n > 0; n--) {
      const at = below(bytes.length);
      const kind = below(4);
      if (kind === 0) bytes[at] = below(256);
      else if (kind === 1) bytes.copy(bytes, below(bytes.length), at, at + below(600));
      else if (kind === 2) bytes.fill(below(2) * 0xff, at, Math.min(bytes.length, at + below(30)));
      else bytes.write(String(below(1e9)), at, 'latin1');
    }
    // Mended checksums let the damage through to what lies behind them.
    if (below(4) > 0)
      for (let at = 0; at < bytes.length; at += 512)
        if (bytes[at + 257] === 0x75) sign(bytes.subarray(at, at + 512));
    survive(below(8) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes, `round ${round}`);
  }
});

const limit = (bytes: Buffer, message: RegExp, limits = {}) =>
  assert.throws(() => walkTar(bytes, { limits }), { name: 'ClipError', code: 'LIMIT', message });

test('announced sizes of headers are held against the limits before a byte of them is read', () => {
  const { paxBytes, nameBytes } = TAR_LIMITS;
  limit(header({ type: 'x', size: paxBytes + 1 }), /PAX header too long/);
  limit(header({ type: 'g', size: 2 ** 40 }), /PAX header too long/);
  limit(header({ type: 'L', size: nameBytes + 2 }), /long name too long/);
  limit(header({ type: 'K', size: 2 ** 33 }), /long name too long/);
});

test('names at and over their limit', () => {
  const longest = 'n'.repeat(TAR_LIMITS.nameBytes);
  assert.equal(walkTar(tar(pax([['path', longest]]), member({})))[0]!.path, longest);
  assert.equal(walkTar(tar(gnuLong('L', longest), member({})))[0]!.path, longest);
  limit(tar(pax([['path', `${longest}n`]]), member({})), /path too long/);
  limit(tar(pax([['linkpath', `${longest}n`]]), member({ type: '2' })), /link target too long/);
  limit(
    tar(
      pax([
        ['GNU.sparse.name', `${longest}n`],
        ['GNU.sparse.map', '0,0'],
      ]),
      member({}),
    ),
    /path too long/,
  );
  limit(tar(gnuLong('L', `${longest}n`), member({})), /name too long/);
});

test('a path of as many components as fit', () => {
  assert.equal(walkTar(tar(pax([['path', './'.repeat(30_000)]]), member({ type: '5' })))[0]!.path, '');
  assert.equal(walkTar(tar(pax([['path', 'a/../'.repeat(13_000)]]), member({ type: '5' })))[0]!.path, '');
});

test('global records that every later entry would inherit stay small', () => {
  const g = (key: string, value: string) => pax([[key, value]], 'g');
  assert.equal(walkTar(tar(g('uname', 'u'.repeat(4000)), member({}))).length, 1);
  limit(tar(g('uname', 'u'.repeat(5000)), member({})), /global/);
  limit(tar(...Array.from({ length: 99 }, (_, i) => g(`SCHILY.xattr.user.${i}`, 'v'.repeat(90)))), /global/);
  assert.equal(
    walkTar(tar(...Array.from({ length: 99 }, (_, i) => g(`comment.${i}`, 'v'.repeat(900))), member({})))
      .length,
    1,
  );
});

test('entries and sparse runs are counted', () => {
  limit(tar(member({}), member({}), member({})), /too many entries at offset 1024/, { entries: 2 });
  const runs = Array.from({ length: 31 }, (_, i) => [i * 2, Buffer.from('x')] as const);
  for (const form of ['old', '0.0', '0.1', '1.0'] as const) {
    const bytes = tar(sparseMember(form, { name: 's', size: 99, runs }));
    assert.equal(walkTar(bytes, { limits: { sparseEntries: 31 } }).length, 1);
    limit(bytes, /too many runs/, { sparseEntries: 30 });
  }
});

test('an endless chain of empty sparse extension blocks costs no memory', () => {
  const chain = Buffer.alloc(512);
  chain[504] = 1;
  const walker = createTarWalker({ entry: () => assert.fail('no entry') });
  walker.push(header({ type: 'S', magic: MAGIC.gnu, raw: [[482, '\x01']] }));
  const chunk = Buffer.concat(Array.from({ length: 128 }, () => chain));
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 1000; i++) walker.push(chunk);
  assert.ok(process.memoryUsage().heapUsed - before < 16 * 2 ** 20);
  assert.throws(() => walker.end(), { code: 'CORRUPT_TAR' });
});

test('a sink that throws ends the walk with its own error', () => {
  const own = new Error('sink');
  const walker = createTarWalker({
    entry() {
      throw own;
    },
  });
  assert.throws(() => walker.push(member({})), own);
  assert.throws(() => walker.end(), own);
});

test('a million entries, and a gigabyte of data that is stepped over', () => {
  const block = member({ name: 'some/directory/of/files/name-of-a-file.txt', uname: 'root' });
  const chunk = Buffer.concat(Array.from({ length: 1000 }, () => block));
  let count = 0;
  let last: Entry | undefined;
  const walker = createTarWalker({
    entry(entry) {
      count++;
      last = entry;
    },
  });
  for (let i = 0; i < 1000; i++) walker.push(chunk);
  assert.equal(count, 1_000_000);
  walker.push(header({ size: 2 ** 30 }));
  const zeros = Buffer.alloc(2 ** 26);
  for (let i = 0; i < 16; i++) walker.push(zeros);
  walker.push(pad(header({ name: 'end' })));
  walker.end();
  assert.equal(last!.position, 1_000_000 * 512 + 512 + 2 ** 30 + 512);
  assert.equal(comparePaths(last!.path, 'end'), 0);
});

test('sums over all entries of a tar: runs, attributes, names', () => {
  const sparse = (name: string) =>
    sparseMember('1.0', {
      name,
      size: 9000,
      runs: [
        [0, run],
        [5000, run],
      ],
    });
  const two = tar(sparse('a'), sparse('b'));
  assert.equal(walkTar(two, { limits: { allRuns: 4 } }).length, 2);
  limit(two, /too many runs in sparse files/, { allRuns: 3 });

  const labelled = (name: string, value: string) =>
    Buffer.concat([pax([['SCHILY.xattr.user.a', value]]), member({ name })]);
  const labels = tar(labelled('a', 'same'), labelled('b', 'same'), labelled('c', 'same'));
  assert.equal(walkTar(labels, { limits: { allXattrBytes: 'user.a'.length + 4 + 8 } }).length, 3);
  limit(labels, /too many bytes of extended attributes/, { allXattrBytes: 17 });
  const differing = tar(labelled('a', 'one'), labelled('b', 'two'));
  limit(differing, /too many bytes of extended attributes/, { allXattrBytes: 33 });
  assert.equal(walkTar(differing, { limits: { allXattrBytes: 34 } }).length, 2);

  const names = tar(
    member({ name: 'abc', uname: 'u', gname: 'g' }),
    member({ name: 'de', type: '2', link: 'xyz' }),
  );
  const bytes = walkTar(names).reduce(
    (sum, { path, link, uname, gname }) => sum + (path + link + uname + gname).length,
    0,
  );
  assert.equal(walkTar(names, { limits: { allNameBytes: bytes } }).length, 2);
  limit(names, /too many bytes of names/, { allNameBytes: bytes - 1 });
});

test('entries with equal attributes share one set, those with others do not', () => {
  const labelled = (name: string, ...records: [string, string][]) =>
    Buffer.concat([pax(records.map(([key, value]) => [`SCHILY.xattr.${key}`, value])), member({ name })]);
  const [a, b, c, d] = walkTar(
    tar(
      labelled('a', ['user.x', '1'], ['user.y', '2']),
      labelled('b', ['user.y', '2'], ['user.x', '1']),
      // The same bytes, cut in another place.
      labelled('c', ['user.x', '1user.y2']),
      labelled('d', ['user.x1', 'user.y2']),
    ),
  );
  assert.equal(a!.xattrs, b!.xattrs);
  assert.deepEqual(a!.xattrs, [
    ['user.x', '1'],
    ['user.y', '2'],
  ]);
  assert.deepEqual(c!.xattrs, [['user.x', '1user.y2']]);
  assert.deepEqual(d!.xattrs, [['user.x1', 'user.y2']]);
});
