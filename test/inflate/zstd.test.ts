import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isClipError } from '../../src/errors.js';
import type { Span } from '../../src/format/model.js';
import { inflateFrameSpan } from '../../src/inflate/zstd/resume.js';
import {
  decoders,
  hasProgram,
  makeFrame,
  rawFrame,
  run,
  type Scanned,
  sample,
  scanZstd,
  sha256,
  skippable,
} from '../support/zstd.js';

const needsZstd = hasProgram('zstd') ? false : 'needs zstd';

/** Spans tile the data, keep the bound, and each resumes to bytes of its digest, from its compressed range alone. */
async function checkSpans(blob: Uint8Array, scanned: Scanned, spacing: number): Promise<void> {
  let offset = 0;
  for (const [at, span] of scanned.spans.entries()) {
    const before = scanned.spans[at - 1];
    assert.equal(span.index, at);
    assert.equal(span.offset, offset);
    assert.ok(span.length >= 1 && span.length <= 2 * spacing);
    assert.equal(span.kind, 'frame');
    if (before?.byte === span.byte) assert.equal(span.skip, before.skip + before.length);
    else assert.equal(span.skip, 0);
    const bytes = await inflateFrameSpan(span, blob.subarray(span.byte, span.end));
    assert.equal(bytes.length, span.length);
    assert.ok(Buffer.compare(bytes, scanned.data.subarray(offset, offset + span.length)) === 0);
    assert.equal(sha256(bytes), span.digest);
    offset += span.length;
  }
  assert.equal(offset, scanned.data.length);
  assert.deepEqual(scanned.summary, { encoding: 'zstd', uncompressedSize: offset, trailingBytes: 0 });
}

const makers: [name: string, args: string[]][] = [
  ['-1', ['-1']],
  ['-3 --no-check', ['-3', '--no-check']],
  ['-19', ['-19']],
  ['--ultra -22 --long=27', ['--ultra', '-22', '--long=27']],
  ['--stream-size', ['--stream-size=900001']],
  ['-B (many jobs)', ['-T2', '-B524288']],
  ['--rsyncable', ['-T2', '--rsyncable']],
];
for (const decoder of decoders) {
  for (const [name, args] of makers) {
    test(`scan and resume what zstd ${name} makes (${decoder.name})`, { skip: needsZstd }, async () => {
      const plain = sample(900001);
      const blob = run('zstd', ['-q', '-c', ...args], plain);
      const scanned = await scanZstd(blob, { decoder });
      assert.ok(scanned.data.equals(plain));
      await checkSpans(blob, scanned, 131072);
      const again = await scanZstd(blob, { decoder, sizes: [1, 7, 4099, 2, 100003] });
      assert.ok(again.data.equals(plain));
      assert.deepEqual(again.spans, scanned.spans);
    });
  }

  test(`one byte at a time (${decoder.name})`, async () => {
    const plain = sample(3000);
    const blob = Buffer.concat([
      skippable(Buffer.alloc(0)),
      rawFrame(plain.subarray(0, 1000), { checksum: true, contentSize: 1000 }),
      skippable(Buffer.alloc(33), 15),
      rawFrame(Buffer.alloc(0), { checksum: true }),
      rawFrame(plain.subarray(1000), { dictionary: 0 }),
      skippable(Buffer.alloc(1), 3),
    ]);
    const scanned = await scanZstd(blob, { decoder, sizes: [1], spacing: 500 });
    assert.ok(scanned.data.equals(plain));
    await checkSpans(blob, scanned, 500);
    assert.deepEqual(
      scanned.spans.map(({ length, skip }) => [length, skip]),
      [
        [1000, 0],
        [500, 0],
        [500, 500],
        [500, 1000],
        [500, 1500],
      ],
    );
  });

  test(`streams that hold nothing are empty layers (${decoder.name})`, async () => {
    const empty = rawFrame(Buffer.alloc(0), { contentSize: 0, checksum: true });
    for (const blob of [
      Buffer.alloc(0),
      skippable(Buffer.alloc(9)),
      empty,
      Buffer.concat([empty, skippable(empty)]),
    ]) {
      const { data, spans, summary } = await scanZstd(blob, { decoder });
      assert.equal(data.length, 0);
      assert.deepEqual(spans, []);
      assert.equal(summary.uncompressedSize, 0);
    }
  });
}

test('zstd:chunked: a frame for each file, table of contents and footer in skippable frames', {
  skip: needsZstd,
}, async () => {
  const files = Array.from({ length: 120 }, (_, at) => sample(1 + ((at * 7919) % 30000), at + 1));
  const frames = files.map((file) => run('zstd', ['-q', '-c'], file));
  const blob = Buffer.concat([...frames, skippable(sample(5000)), skippable(Buffer.alloc(64))]);
  for (const decoder of decoders) {
    const scanned = await scanZstd(blob, { decoder });
    assert.ok(scanned.data.equals(Buffer.concat(files)));
    await checkSpans(blob, scanned, 131072);
    for (const span of scanned.spans.slice(0, -1)) assert.ok(span.length >= 131072 && span.skip === 0);
  }
});

const pzstd = hasProgram('pzstd') ? false : 'needs pzstd';
test('pzstd: a skippable frame before each frame', { skip: pzstd }, async () => {
  const plain = sample(3_000_000);
  const blob = run('pzstd', ['-q', '-1', '-p', '2', '-c'], plain);
  for (const decoder of decoders) {
    const scanned = await scanZstd(blob, { decoder });
    assert.ok(scanned.data.equals(plain));
    await checkSpans(blob, scanned, 131072);
  }
});

test('any frames: spans tile the layer and do not depend on chunks or decoder', async () => {
  const spacing = 1000;
  const part = fc.oneof(
    fc.record({ size: fc.integer({ min: 0, max: 3500 }), known: fc.boolean(), checksum: fc.boolean() }),
    fc.record({ skip: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant(70000)) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 }),
      async (parts, sizes) => {
        const contents: Buffer[] = [];
        const blob = Buffer.concat(
          parts.map((each, at) => {
            if ('skip' in each) return skippable(Buffer.alloc(each.skip));
            const content = sample(each.size, at + 1);
            contents.push(content);
            const contentSize = each.known ? each.size : undefined;
            return rawFrame(content, { contentSize, checksum: each.checksum });
          }),
        );
        let first: Scanned | undefined;
        for (const decoder of decoders) {
          const scanned = await scanZstd(blob, { spacing, sizes, decoder });
          assert.ok(scanned.data.equals(Buffer.concat(contents)));
          await checkSpans(blob, scanned, spacing);
          first ??= scanned;
          assert.deepEqual(scanned.spans, first.spans);
        }
        assert.deepEqual((await scanZstd(blob, { spacing })).spans, first!.spans);
        // A span is short only before a frame that does not fit, before a gap, at a long frame's end or the layer's.
        assert.ok(first!.spans.length <= 2 * parts.length + first!.data.length / spacing);
      },
    ),
    { numRuns: 60 },
  );
});

test('a frame over 4 MiB without a content size is streamed, cut every spacing, and its group decodes once', async () => {
  const plain = sample(5_000_000);
  const blob = Buffer.concat([
    rawFrame(sample(500)),
    rawFrame(plain, { checksum: true }),
    rawFrame(sample(700)),
  ]);
  for (const decoder of decoders) {
    const scanned = await scanZstd(blob, { decoder, spacing: 1 << 20 });
    assert.deepEqual(
      scanned.spans.map(({ length, skip }) => [length, skip]),
      [
        [500, 0],
        ...[0, 1, 2, 3].map((at) => [1 << 20, at << 20]),
        [5_000_000 - (4 << 20), 4 << 20],
        [700, 0],
      ],
    );
    await checkSpans(blob, scanned, 1 << 20);
  }
});

test('a span that its bytes do not hold is refused', async () => {
  const blob = rawFrame(sample(5_000_000));
  const { spans } = await scanZstd(blob, { spacing: 1 << 20 });
  const cases: [span: Partial<Span>, bytes: Uint8Array][] = [
    [spans[4]!, blob.subarray(0, 3_000_000)],
    [{ skip: 4_999_999 }, blob],
    [{ length: 2 ** 50 }, blob],
  ];
  for (const [span, bytes] of cases) {
    await assert.rejects(inflateFrameSpan({ ...spans[0]!, ...span }, bytes), (error) =>
      isClipError(error, 'CORRUPT_LAYER'),
    );
  }
});

test('streams decode side by side', async () => {
  for (const decoder of decoders) {
    const blobs = [1, 2, 3, 4, 5].map((seed) => rawFrame(sample(4_500_000 + seed, seed), { checksum: true }));
    const scans = await Promise.all(blobs.map((blob) => scanZstd(blob, { decoder, sizes: [9000] })));
    for (const [at, { data }] of scans.entries()) assert.ok(data.equals(sample(4_500_001 + at, at + 1)));
  }
});

test('a frame with an empty last block', async () => {
  const plain = sample(100);
  const blob = makeFrame([{ raw: plain }, { zeros: 0 }, { raw: Buffer.alloc(0) }], { checksum: false });
  for (const decoder of decoders)
    assert.ok((await scanZstd(blob, { decoder, sizes: [1] })).data.equals(plain));
});
