import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isClipError } from '../../src/errors.js';
import type { Span } from '../../src/format/model.js';
import { createPlainScanner, readPlainSpan } from '../../src/inflate/plain.js';
import { chunked, sample, sha256 } from '../support/zstd.js';

test('spans of a plain layer are its bytes, spacing by spacing', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5000 }),
      fc.integer({ min: 1, max: 1500 }),
      fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 4 }),
      (size, spacing, sizes) => {
        const layer = sample(size);
        const spans: Span[] = [];
        const pieces: Buffer[] = [];
        const sink = {
          data: (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)),
          span(span: Span) {
            assert.equal(Buffer.concat(pieces).length, span.offset + span.length);
            spans.push(span);
          },
        };
        const scanner = createPlainScanner(sink, { spacing });
        for (const chunk of chunked(layer, sizes)) scanner.push(chunk);
        assert.deepEqual(scanner.end(), { encoding: 'plain', uncompressedSize: size, trailingBytes: 0 });
        assert.ok(Buffer.concat(pieces).equals(layer));
        assert.equal(spans.length, Math.ceil(size / spacing));
        for (const [index, span] of spans.entries()) {
          const offset = index * spacing;
          const length = Math.min(spacing, size - offset);
          const bytes = layer.subarray(offset, offset + length);
          const place = { index, offset, length, byte: offset, bit: 0, end: offset + length, skip: 0 };
          assert.deepEqual(span, { ...place, kind: 'raw', digest: sha256(bytes) });
          assert.deepEqual(readPlainSpan(span, bytes), bytes);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('a plain span takes exactly its own bytes', () => {
  const span: Span = {
    index: 3,
    offset: 9,
    length: 10,
    byte: 9,
    bit: 0,
    end: 19,
    kind: 'raw',
    skip: 0,
    digest: '',
  };
  for (const length of [0, 9, 11]) {
    assert.throws(
      () => readPlainSpan(span, new Uint8Array(length)),
      (error) => isClipError(error, 'CORRUPT_LAYER'),
    );
  }
});
