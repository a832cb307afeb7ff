import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { inflateGzipSpan } from '../../src/inflate/gzip/resume.js';
import { createGzipScanner } from '../../src/inflate/gzip/scan.js';

test('every span of a gzip layer resumes to its own bytes', () => {
  const plain = Buffer.from(Array.from({ length: 300000 }, (_, i) => `${i * 7919} `).join(''));
  const blob = gzipSync(plain);
  const pieces: Buffer[] = [];
  let resumed = 0;
  const scanner = createGzipScanner(
    {
      data: (bytes) => void pieces.push(Buffer.from(bytes)),
      span(span, context) {
        const bytes = inflateGzipSpan(span, context, blob.subarray(span.byte, span.end));
        assert.equal(createHash('sha256').update(bytes).digest('hex'), span.digest);
        assert.equal(span.offset, resumed);
        assert.deepEqual(bytes, plain.subarray(resumed, resumed + span.length));
        assert.ok(span.length <= 2 * 131072);
        resumed += span.length;
      },
    },
    { spacing: 131072 },
  );
  for (let at = 0; at < blob.length; at += 1000) scanner.push(blob.subarray(at, at + 1000));
  scanner.end();
  assert.equal(resumed, plain.length);
  assert.deepEqual(Buffer.concat(pieces), plain);
});
