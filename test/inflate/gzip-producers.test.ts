/** Every producer's streams scan to the right bytes and resume at every checkpoint. Oracle: Node's zlib and the input. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, deflateRawSync, gunzipSync, gzipSync } from 'node:zlib';
import { ungzip } from 'pako';
import { assertScan, LEAST_SPACING, layerLikeBytes, pipeThrough, scanBlob } from '../support/gzip-layers.js';

const sample = layerLikeBytes(6_000_000, 1);

const PROGRAMS: readonly (readonly [string, ...string[]])[] = [
  ['gzip', '-1'],
  ['gzip', '-6'],
  ['gzip', '-9'],
  ['gzip', '--rsyncable'],
  ['pigz', '-p2'],
  ['pigz', '-p2', '-i'],
  ['pigz', '-11', '-I1', '-F'],
  ['igzip', '-0'],
  ['igzip', '-1'],
  ['igzip', '-3'],
];

for (const [command, ...args] of PROGRAMS) {
  test(`${command} ${args.join(' ')}`, (t) => {
    const input = args[0] === '-11' ? sample.subarray(0, 800_000) : sample;
    const blob = pipeThrough(command, [...args, '-c'], input);
    if (blob === undefined) return t.skip(`needs ${command}`);
    const { spans } = assertScan(blob, input);
    assert.ok(spans.length >= input.length / (2 * LEAST_SPACING));
  });
}

const STRATEGIES = ['Z_DEFAULT_STRATEGY', 'Z_FILTERED', 'Z_HUFFMAN_ONLY', 'Z_RLE', 'Z_FIXED'] as const;
for (const strategy of STRATEGIES) {
  for (const level of [0, 1, 6, 9]) {
    test(`zlib ${strategy} level ${level}`, () => {
      assertScan(gzipSync(sample, { level, strategy: constants[strategy] }), sample);
    });
  }
}

test('zlib with small windows and memory (many small blocks)', () => {
  const input = sample.subarray(0, 1_500_000);
  for (const [memLevel, windowBits] of [
    [1, 9],
    [1, 15],
    [9, 15],
  ] as const) {
    assertScan(gzipSync(input, { memLevel, windowBits }), input);
  }
});

test('a flush after every few bytes: thousands of tiny and empty blocks', () => {
  const input = sample.subarray(0, 400_000);
  const pieces: Buffer[] = [];
  for (let at = 0; at < input.length; at += 37) {
    // Each piece ends with an empty stored block, so pieces can follow each other in one body.
    pieces.push(deflateRawSync(input.subarray(at, at + 37), { finishFlush: constants.Z_SYNC_FLUSH }));
  }
  const whole = gzipSync(input);
  const blob = Buffer.concat([whole.subarray(0, 10), ...pieces, Buffer.from([3, 0]), whole.subarray(-8)]);
  assert.ok(gunzipSync(blob).equals(input));
  assertScan(blob, input);
});

test('checkpoints at all eight bit positions', () => {
  const bits = new Set<number>();
  for (const level of [1, 6]) {
    for (const { span } of assertScan(gzipSync(sample, { level }), sample).spans) bits.add(span.bit);
  }
  assert.deepEqual([...bits].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
});

test('hundreds of small members, empty ones among them', () => {
  const pieces: Buffer[] = [];
  const plain: Buffer[] = [];
  for (let i = 0; i < 700; i++) {
    const part = sample.subarray(i * 1000, i * 1000 + (i % 5 === 0 ? 0 : 1000 + i));
    plain.push(part);
    pieces.push(gzipSync(part, { level: i % 10 }));
  }
  const expected = Buffer.concat(plain);
  const { spans } = assertScan(Buffer.concat(pieces), expected);
  assert.ok(spans.every(({ span, context }) => span.kind === 'member' && context.window.length === 0));
});

test('large members: spans cross the seams', () => {
  const parts = [200_000, 500_000, 90_000, 130_000, 131_072, 300_000];
  const plain = parts.map((size, i) => sample.subarray(i * 400_000, i * 400_000 + size));
  assertScan(Buffer.concat(plain.map((part) => gzipSync(part))), Buffer.concat(plain));
});

for (const [command, args] of [
  ['gzip', ['-9', '-c']],
  ['igzip', ['-1', '-c']],
] as const) {
  test(`100 MB of zeros through ${command}: blocks far longer than the spacing`, (t) => {
    const zeros = Buffer.alloc(100_000_000);
    const blob = pipeThrough(command, args, zeros);
    if (blob === undefined) return t.skip(`needs ${command}`);
    const { spans } = assertScan(blob, zeros, 1 << 20);
    assert.ok(spans.some(({ span }) => span.kind === 'symbol'));
    assert.ok(spans.length >= 50);
  });
}

test('60 MB of text as one block (igzip -0)', (t) => {
  const text = Buffer.from(sample.toString('base64'));
  const input = Buffer.concat(Array(8).fill(text)).subarray(0, 60_000_000);
  const blob = pipeThrough('igzip', ['-0', '-c'], input);
  if (blob === undefined) return t.skip('needs igzip');
  const { spans } = assertScan(blob, input, 1 << 20);
  assert.ok(spans.slice(1).every(({ span }) => span.kind === 'symbol'));
});

test('pako agrees', () => {
  const blob = gzipSync(sample, { level: 4 });
  assert.ok(scanBlob(blob, LEAST_SPACING).plain.equals(ungzip(blob)));
});
