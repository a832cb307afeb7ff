import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { isClipError } from '../../src/errors.js';
import type { Encoding, Span, SpanContext } from '../../src/format/model.js';
import { createLayerDecoder } from '../../src/inflate/decode.js';
import { detectEncoding } from '../../src/inflate/detect.js';
import { inflateSpan } from '../../src/inflate/resume.js';
import { createLayerScanner } from '../../src/inflate/scan.js';
import { chunked, rawFrame, sample, sha256, skippable } from '../support/zstd.js';

const plain = sample(700_000);
const layers: [name: string, encoding: Encoding, blob: Uint8Array, content: Uint8Array][] = [
  ['gzip', 'gzip', gzipSync(plain), plain],
  ['gzip of nothing', 'gzip', gzipSync(''), Buffer.alloc(0)],
  ['zstd', 'zstd', rawFrame(plain, { checksum: true }), plain],
  ['zstd behind a skippable frame', 'zstd', Buffer.concat([skippable(plain, 11), rawFrame(plain)]), plain],
  ['a skippable frame alone', 'zstd', skippable(plain), Buffer.alloc(0)],
  ['plain', 'plain', plain, plain],
  ['nothing', 'plain', Buffer.alloc(0), Buffer.alloc(0)],
  ...['1f', '1f8c', '28', '28b52f', '28b52ffe', '5f2a4d', '5f2a4d19', '602a4d18'].map(
    (hex): (typeof layers)[number] => [
      `plain ${hex}`,
      'plain',
      Buffer.from(hex, 'hex'),
      Buffer.from(hex, 'hex'),
    ],
  ),
];

test('a layer in a compression that is not read is refused by its name', () => {
  for (const [name, hex] of [
    ['xz', 'fd377a585a000004e6d6b446'],
    ['bzip2', '425a6839314159265359aabb'],
    ['lz4', '04224d186440a7'],
  ] as const) {
    const scanner = createLayerScanner({ data() {}, span() {} }, { spacing: 131072 });
    assert.throws(
      () => scanner.push(Buffer.from(hex, 'hex')),
      (error) => isClipError(error, 'UNSUPPORTED') && error.message.includes(name),
    );
  }
  // A tar may begin with a file of this name.
  const scanner = createLayerScanner({ data() {}, span() {} }, { spacing: 131072 });
  assert.doesNotThrow(() => scanner.push(Buffer.from('BZh9.txt\0\0\0\0')));
});

for (const [name, encoding, blob, content] of layers) {
  test(`${name}: scanned, resumed and decoded by its magic`, async () => {
    for (const sizes of [[1, 1, 1, 1, 1, 70_000], [65536], [3, 5000]]) {
      const pieces: Buffer[] = [];
      const spans: [Span, SpanContext][] = [];
      const sink = {
        data: (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)),
        span: (span: Span, context: SpanContext) => void spans.push([span, context]),
      };
      const scanner = createLayerScanner(sink, { spacing: 131072 });
      for (const chunk of chunked(blob, sizes)) await scanner.push(chunk);
      const summary = await scanner.end();
      assert.deepEqual(summary, { encoding, uncompressedSize: content.length, trailingBytes: 0 });
      assert.ok(Buffer.concat(pieces).equals(content));
      let offset = 0;
      for (const [span, context] of spans) {
        const bytes = await inflateSpan(encoding, span, context, blob.subarray(span.byte, span.end));
        assert.equal(bytes.length, span.length);
        assert.equal(span.offset, offset);
        assert.equal(sha256(bytes), span.digest);
        offset += span.length;
      }
      assert.equal(offset, content.length);

      const decoded: Buffer[] = [];
      const decoder = createLayerDecoder(encoding, {
        data: (bytes) => void decoded.push(Buffer.from(bytes)),
      });
      for (const chunk of chunked(blob, sizes)) await decoder.push(chunk);
      await decoder.end();
      assert.ok(Buffer.concat(decoded).equals(content));
    }
  });
}

test('the first bytes are waited for only while they can still decide', () => {
  const undecided = ['', '1f', '28', '28b5', '28b52f', '50', '5f2a', '5a2a4d'];
  for (const hex of undecided) {
    assert.equal(detectEncoding(Buffer.from(hex, 'hex'), false), undefined, hex);
    assert.equal(detectEncoding(Buffer.from(hex, 'hex'), true), 'plain', hex);
  }
  for (const hex of ['00', '1f00', '28b600', '60', '5f2b']) {
    assert.equal(detectEncoding(Buffer.from(hex, 'hex'), false), 'plain', hex);
  }
});

test('damage is CORRUPT_LAYER under every encoding', async () => {
  for (const [, encoding, blob] of layers.filter(([name]) => name === 'gzip' || name === 'zstd')) {
    const damaged = Buffer.from(blob);
    damaged[blob.length >> 1]! ^= 0x10;
    for (const bytes of [damaged, blob.subarray(0, blob.length - 5)]) {
      const decoder = createLayerDecoder(encoding, { data() {} });
      const scanner = createLayerScanner({ data() {}, span() {} }, { spacing: 131072 });
      for (const each of [decoder, scanner]) {
        await assert.rejects(
          async () => {
            await each.push(bytes);
            await each.end();
          },
          (error) => isClipError(error, 'CORRUPT_LAYER'),
        );
      }
    }
  }
});
