// The decoder of front-coded paths against what docs/format.md says of them, written down plainly.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../src/bytes.js';
import { isClipError } from '../../src/errors.js';
import { ByteReader } from '../../src/format/byte-reader.js';
import { ByteWriter } from '../../src/format/byte-writer.js';
import { isCleanPath, type Paths, readPaths, sharedLength } from '../../src/format/paths.js';
import { comparePaths } from '../../src/tree/entry.js';

interface Row {
  path: string;
  /** Bytes fewer that it says to share than it does. */
  less: number;
}

function encode(rows: readonly Row[]): Buffer {
  const out = new ByteWriter();
  const shared = rows.map(({ path, less }, i) =>
    i === 0 ? 0 : Math.max(0, sharedLength(rows[i - 1]!.path, path) - less),
  );
  for (const length of shared) out.varint(length);
  rows.forEach(({ path }, i) => {
    out.varint(path.length - shared[i]!);
  });
  rows.forEach(({ path }, i) => {
    out.byteString(path.slice(shared[i]) as ByteString);
  });
  return out.copy();
}

function decode(bytes: Buffer, count: number, allowEqual: boolean): Paths | undefined {
  try {
    return readPaths(new ByteReader(bytes, 'test'), count, { allowEqual });
  } catch (error) {
    assert.ok(isClipError(error, 'CORRUPT_INDEX'), String(error));
    return undefined;
  }
}

function isClean(path: string): boolean {
  return (
    path === '' ||
    (!path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'))
  );
}

function isRight(rows: readonly Row[], allowEqual: boolean): boolean {
  return rows.every(({ path, less }, i) => {
    const before = rows[i - 1]?.path;
    if (!isClean(path)) return false;
    if (before === undefined) return true;
    if (less > 0 && sharedLength(before, path) > 0) return false;
    const order = comparePaths(before as ByteString, path as ByteString);
    return order < 0 || (allowEqual && order === 0);
  });
}

const byte = fc.constantFrom(...'/../ab\0\\\n\xff~ '.split(''));
const component = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('a', 'b', 'ab', 'a.b', '..a', '...', '.a', 'x'.repeat(40), 'a\xe9'),
  },
  { weight: 1, arbitrary: fc.string({ unit: byte, maxLength: 5 }) },
  { weight: 1, arbitrary: fc.constantFrom('.', '..', '') },
);
const path = fc.array(component, { maxLength: 4 }).map((parts) => parts.join('/'));
const row = fc.record({ path, less: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3) });
const rows = fc.oneof(
  fc.array(row, { maxLength: 6 }),
  // Mostly right ones.
  fc
    .uniqueArray(path.filter(isClean), { maxLength: 30 })
    .map((paths) =>
      paths
        .sort((a, b) => comparePaths(a as ByteString, b as ByteString))
        .map((each) => ({ path: each, less: 0 })),
    ),
);

test('paths are taken exactly where they are clean, in order, and share what they can', () => {
  let taken = 0;
  fc.assert(
    fc.property(rows, fc.boolean(), fc.uint8Array({ maxLength: 20 }), (given, allowEqual, after) => {
      const bytes = encode(given);
      const paths = decode(Buffer.concat([bytes, after]), given.length, allowEqual);
      assert.equal(paths !== undefined, isRight(given, allowEqual), JSON.stringify(given));
      if (!paths) return;
      taken++;
      const all = given.map((each) => each.path);
      assert.deepEqual(
        all.map((_, i) => paths.at(i)),
        all,
      );
      assert.equal(
        Buffer.from(paths.lines(0, all.length)).toString('latin1'),
        all.map((each) => `/${each}\n`).join(''),
      );
      assert.equal(paths.plain, /^[\x20-\x5b\x5d-\x7e]*$/.test(all.join('')));
      assert.deepEqual(
        [...paths.repeats],
        all.flatMap((each, i) => (i > 0 && each === all[i - 1] ? [i] : [])),
      );
    }),
    { numRuns: 4000 },
  );
  assert.ok(taken > 1000, `only ${taken} were taken`);
});

test('what follows the paths is left to be read', () => {
  const bytes = encode([
    { path: 'a', less: 0 },
    { path: 'a/b', less: 0 },
  ]);
  const reader = new ByteReader(Buffer.concat([bytes, Buffer.from([7])]), 'test');
  readPaths(reader, 2, { allowEqual: false });
  assert.equal(reader.u8(), 7);
  reader.done();
});

test('a block that is cut short anywhere is refused', () => {
  const rows = ['', 'etc', 'etc/os-release', 'usr', `usr/${'x'.repeat(200)}`].map((each) => ({
    path: each,
    less: 0,
  }));
  const bytes = encode(rows);
  assert.ok(decode(bytes, rows.length, false));
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(decode(bytes.subarray(0, length), rows.length, false), undefined, `${length} bytes`);
  }
});

test('lengths are bounded, and told in as few bytes as they take', () => {
  const one = (shared: number[], rest: number[], rests: number) =>
    decode(Buffer.concat([Buffer.from([...shared, ...rest]), Buffer.alloc(rests, 'a')]), 1, false);
  assert.ok(one([0], [0x80, 0x80, 0x01], 16_384));
  assert.equal(one([0], [0x81, 0x80, 0x01], 16_385), undefined);
  assert.equal(one([0], [0x81, 0x00], 1), undefined);
  assert.equal(one([0x80, 0x00], [1], 1), undefined);
  assert.equal(one([0], [0x81, 0x80, 0x80, 0x00], 1), undefined);
  assert.equal(one([1], [1], 1), undefined);
});

test('the paths of a block are 262,144 bytes at most', () => {
  const deep = Array.from({ length: 17 }, (_, i) => ({
    path: `${'y'.repeat(15_000)}${'z'.repeat(i)}`,
    less: 0,
  }));
  assert.ok(decode(encode(deep), 17, false));
  const deeper = [...deep, { path: `${'y'.repeat(15_000)}${'z'.repeat(7000)}`.slice(0, 16_384), less: 0 }];
  assert.equal(decode(encode(deeper), 18, false), undefined);
});

test('a path alone is judged by the same rule', () => {
  fc.assert(
    fc.property(path, (given) => {
      assert.equal(isCleanPath(given as ByteString), isClean(given));
    }),
    { numRuns: 2000 },
  );
  assert.ok(isCleanPath('a'.repeat(16_384) as ByteString));
  assert.ok(!isCleanPath('a'.repeat(16_385) as ByteString));
});
