/** gzip framing by RFC 1952: header forms, members, what follows the last one, trailers, truncation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, gzipSync } from 'node:zlib';
import { isClipError } from '../../src/errors.js';
import { createGzipDecoder } from '../../src/inflate/gzip/decode.js';
import { LEAST_SPACING, scanBlob } from '../support/gzip-layers.js';

const plain = Buffer.from('the quick brown fox jumps over the lazy dog, over and over and over');
const simple = gzipSync(plain);

function withHeader(flags: number, fields: Uint8Array, options: { badCrc?: boolean } = {}): Buffer {
  const fixed = Buffer.from([0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3]);
  let header = Buffer.concat([fixed, fields]);
  if (flags & 2) {
    const crc = Buffer.alloc(2);
    crc.writeUInt16LE((crc32(header) & 0xffff) ^ (options.badCrc ? 1 : 0));
    header = Buffer.concat([header, crc]);
  }
  return Buffer.concat([header, simple.subarray(10)]);
}

function assertDamaged(blob: Uint8Array, pattern: RegExp): void {
  for (const sizes of [[65536], [1]]) {
    assert.throws(
      () => scanBlob(blob, LEAST_SPACING, sizes),
      (error) => isClipError(error, 'CORRUPT_LAYER') && pattern.test(error.message),
    );
  }
}

const extra = Buffer.concat([Buffer.from([0x2c, 1]), Buffer.alloc(300, 7)]);
const name = Buffer.from('a name\0');
const comment = Buffer.from('a comment\0');
const FORMS: readonly [string, number, Buffer][] = [
  ['plain', 0, Buffer.alloc(0)],
  ['FTEXT', 1, Buffer.alloc(0)],
  ['FHCRC', 2, Buffer.alloc(0)],
  ['FEXTRA', 4, extra],
  ['empty FEXTRA', 4, Buffer.from([0, 0])],
  ['empty FEXTRA with a name', 12, Buffer.concat([Buffer.from([0, 0]), name])],
  ['FNAME', 8, name],
  ['FCOMMENT', 16, comment],
  ['all', 31, Buffer.concat([extra, name, comment])],
  ['name of 3 MB', 8, Buffer.concat([Buffer.alloc(3_000_000, 65), Buffer.from([0])])],
];
for (const [title, flags, fields] of FORMS) {
  test(`header with ${title}, whole and byte by byte`, () => {
    const blob = withHeader(flags, fields);
    assert.ok(scanBlob(blob, LEAST_SPACING).plain.equals(plain));
    if (blob.length < 10000) assert.ok(scanBlob(blob, LEAST_SPACING, [1]).plain.equals(plain));
  });
}

test('a header checksum that does not match is damage', () => {
  assertDamaged(withHeader(2, Buffer.alloc(0), { badCrc: true }), /header checksum/);
  assertDamaged(withHeader(31, Buffer.concat([extra, name, comment]), { badCrc: true }), /header checksum/);
});

test('reserved flags and unknown methods are refused', () => {
  for (const bit of [32, 64, 128]) assertDamaged(withHeader(bit, Buffer.alloc(0)), /reserved header flags/);
  const method = Buffer.from(simple);
  method[2] = 7;
  assertDamaged(method, /unknown compression method 7/);
});

test('what is not gzip at all, and nothing at all', () => {
  assertDamaged(Buffer.from('not gzip'), /no gzip header/);
  assertDamaged(Buffer.from([0x1f]), /unexpected end/);
  assertDamaged(Buffer.alloc(0), /unexpected end/);
});

test('an empty layer has no spans', () => {
  const { spans, summary } = scanBlob(gzipSync(''), LEAST_SPACING);
  assert.deepEqual(spans, []);
  assert.deepEqual(summary, { encoding: 'gzip', uncompressedSize: 0, trailingBytes: 0 });
});

test('zero padding and garbage after the last member are counted and ignored', () => {
  const tails = [
    Buffer.alloc(1000),
    Buffer.from([0]),
    Buffer.from('garbage'),
    Buffer.from([0x1f]),
    Buffer.from([0x1f, 0]),
    Buffer.concat([Buffer.alloc(5), simple]),
  ];
  for (const tail of tails) {
    for (const sizes of [[65536], [1]]) {
      const { summary, plain: got } = scanBlob(Buffer.concat([simple, tail]), LEAST_SPACING, sizes);
      assert.equal(summary.trailingBytes, tail.length);
      assert.ok(got.equals(plain));
    }
  }
});

test('a further member that is damaged is damage, not garbage', () => {
  const second = Buffer.from(simple);
  second[simple.length - 8]! ^= 1;
  assertDamaged(Buffer.concat([simple, second]), /CRC-32/);
  const body = Buffer.from(simple);
  body[10] = 7;
  assertDamaged(Buffer.concat([simple, body]), /invalid block type/);
  assertDamaged(Buffer.concat([simple, Buffer.from([0x1f, 0x8b])]), /unexpected end/);
  assertDamaged(Buffer.concat([simple, Buffer.from([0x1f, 0x8b, 9])]), /unknown compression method/);
  assertDamaged(Buffer.concat([simple, simple.subarray(0, -1)]), /unexpected end/);
});

test('CRC-32 and length of the trailer are checked', () => {
  const crc = Buffer.from(simple);
  crc[crc.length - 5]! ^= 0x80;
  assertDamaged(crc, /CRC-32/);
  const length = Buffer.from(simple);
  length[length.length - 1]! ^= 1;
  assertDamaged(length, /length/);
});

test('truncation at every byte is damage', () => {
  const two = Buffer.concat([withHeader(31, Buffer.concat([extra, name, comment])), simple]);
  const seam = two.length - simple.length;
  for (let length = 0; length < two.length; length++) {
    // After the first member, a cut that leaves less than a second magic leaves a whole stream.
    if (length === seam || length === seam + 1) continue;
    assert.throws(
      () => scanBlob(two.subarray(0, length), LEAST_SPACING),
      (error) => isClipError(error, 'CORRUPT_LAYER'),
      `cut at ${length}`,
    );
  }
});

test('the decoder for whole layers yields the same bytes and the same errors', () => {
  const pieces: Buffer[] = [];
  const decoder = createGzipDecoder({ data: (bytes) => void pieces.push(Buffer.from(bytes)) });
  for (const byte of Buffer.concat([simple, simple])) decoder.push(Buffer.from([byte]));
  decoder.end();
  assert.ok(Buffer.concat(pieces).equals(Buffer.concat([plain, plain])));

  const cut = createGzipDecoder({ data: () => {} });
  cut.push(simple.subarray(0, 20));
  assert.throws(
    () => cut.end(),
    (error) => isClipError(error, 'CORRUPT_LAYER'),
  );
});
