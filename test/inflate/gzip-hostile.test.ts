/**
 * Hostile and damaged DEFLATE: whatever the bytes, the core takes exactly what Node's zlib takes, and yields the same. A body
 * that zlib decodes gets a matching trailer; one that it refuses must be refused.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, deflateRawSync, gzipSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { isClipError } from '../../src/errors.js';
import type { Span } from '../../src/format/model.js';
import { inflateGzipSpan } from '../../src/inflate/gzip/resume.js';
import { createGzipScanner } from '../../src/inflate/gzip/scan.js';
import { createRandom, LEAST_SPACING, layerLikeBytes, scanBlob } from '../support/gzip-layers.js';

interface Oracle {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);

/** The body as a gzip member as zlib sees it; undefined where zlib refuses it. */
function oracle(body: Buffer): { blob: Buffer; plain: Buffer } | undefined {
  try {
    const { buffer, engine } = inflateRawSync(body, { info: true } as object) as unknown as Oracle;
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(crc32(buffer));
    trailer.writeUInt32LE(buffer.length, 4);
    return { blob: Buffer.concat([HEADER, body.subarray(0, engine.bytesWritten), trailer]), plain: buffer };
  } catch {
    return undefined;
  }
}

/** True when both take it. */
function assertSame(body: Buffer, sizes: readonly number[]): boolean {
  const expected = oracle(body);
  if (expected !== undefined) {
    assert.ok(scanBlob(expected.blob, LEAST_SPACING, sizes).plain.equals(expected.plain));
    return true;
  }
  assert.throws(
    () => scanBlob(Buffer.concat([HEADER, body]), LEAST_SPACING, sizes),
    (error) => isClipError(error, 'CORRUPT_LAYER'),
  );
  return false;
}

/** Writes bits, least significant first. */
function createBits(): { put(value: number, bits: number): void; bytes(): Buffer } {
  const out: number[] = [];
  let used = 0;
  return {
    put(value, bits) {
      for (let i = 0; i < bits; i++, used++) {
        if (used % 8 === 0) out.push(0);
        out[out.length - 1]! |= ((value >> i) & 1) << (used % 8);
      }
    },
    bytes: () => Buffer.from(out),
  };
}

/** Code lengths of a complete code over some of `count` symbols, `used` of them with a code. */
function completeLengths(count: number, used: number, random: (below: number) => number): number[] {
  const leaves = [0];
  while (leaves.length < used) {
    const at = random(leaves.length);
    const depth = leaves[at]!;
    if (depth < 15) leaves.splice(at, 1, depth + 1, depth + 1);
  }
  const lengths: number[] = Array(count).fill(0);
  for (const depth of leaves) {
    let symbol = random(count);
    while (lengths[symbol] !== 0) symbol = (symbol + 1) % count;
    lengths[symbol] = Math.max(depth, 1);
  }
  return lengths;
}

/** A dynamic block with the given code lengths, then random bits. */
function dynamicBlock(litlen: readonly number[], dist: readonly number[], tail: Uint8Array): Buffer {
  const bits = createBits();
  bits.put(1, 1);
  bits.put(2, 2);
  bits.put(litlen.length - 257, 5);
  bits.put(dist.length - 1, 5);
  bits.put(15, 4);
  // Symbols 0 to 15 have four bits each, so a length is written as its own value, reversed.
  for (let i = 0; i < 19; i++) bits.put(i < 3 ? 0 : 4, 3);
  for (const length of [...litlen, ...dist]) {
    for (let bit = 3; bit >= 0; bit--) bits.put(length >> bit, 1);
  }
  for (const byte of tail) bits.put(byte, 8);
  return bits.bytes();
}

test('random Huffman codes: complete, incomplete, over-subscribed, single, empty', (t) => {
  const seed = Number(process.env.SEED ?? 20240);
  t.diagnostic(`SEED=${seed}`);
  const random = createRandom(seed);
  let taken = 0;
  for (let round = 0; round < 4000; round++) {
    const litlen = completeLengths(257 + random(30), 2 + random(200), random);
    const dist = completeLengths(1 + random(30), 1, random).map(() => 0);
    const kind = random(6);
    if (kind > 0) {
      const used = Math.min(dist.length, 1 + random(20));
      dist.splice(0, dist.length, ...completeLengths(dist.length, used, random));
    }
    if (random(3) > 0 && litlen[256] === 0) {
      const from = litlen.findIndex((length) => length > 0);
      litlen[256] = litlen[from]!;
      litlen[from] = 0;
    }
    if (kind === 1) litlen[random(litlen.length)] = random(16);
    if (kind === 2) dist[random(dist.length)] = random(16);
    if (kind === 3 && random(4) === 0) litlen.fill(0).fill(1, 256, 257);
    const tail = Uint8Array.from({ length: 400 }, () => random(256));
    if (assertSame(dynamicBlock(litlen, dist, tail), random(2) ? [65536] : [1 + random(100)])) taken++;
  }
  assert.ok(taken > 100, `zlib took only ${taken}`);
});

test('random bytes as a body', () => {
  const random = createRandom(7);
  for (let round = 0; round < 3000; round++) {
    const body = Buffer.from(Uint8Array.from({ length: random(300) }, () => random(256)));
    assertSame(body, [65536]);
  }
});

test('a flipped byte anywhere: the same verdict and bytes as zlib', () => {
  const random = createRandom(11);
  const plain = layerLikeBytes(60_000, 3);
  for (const level of [0, 1, 6, 9]) {
    const body = deflateRawSync(plain, { level });
    for (let round = 0; round < 150; round++) {
      const damaged = Buffer.from(body);
      const near = round % 3 === 0 ? Math.min(200, body.length) : body.length;
      damaged[random(near)]! ^= 1 << random(8);
      assertSame(damaged, [1 + random(5000)]);
    }
  }
});

test('any chunking yields the same bytes and the same spans', () => {
  const plain = layerLikeBytes(700_000, 5);
  const blobs = [gzipSync(plain), gzipSync(plain, { level: 0 }), gzipSync(plain, { strategy: 4 })];
  const expected = blobs.map((blob) => scanBlob(blob, LEAST_SPACING));
  fc.assert(
    fc.property(
      fc.nat(blobs.length - 1),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 300_000 })), {
        minLength: 1,
        maxLength: 20,
      }),
      (which, sizes) => {
        const got = scanBlob(blobs[which]!, LEAST_SPACING, sizes);
        assert.ok(got.plain.equals(plain));
        assert.deepEqual(got.spans, expected[which]!.spans);
      },
    ),
    { numRuns: 40 },
  );
});

test('a hostile span or context never does worse than CORRUPT_LAYER or wrong bytes of the right length', () => {
  const plain = layerLikeBytes(600_000, 9);
  const blob = gzipSync(plain);
  const long = gzipSync(Buffer.alloc(3_000_000));
  const cases = [blob, long].flatMap((from) =>
    scanBlob(from, LEAST_SPACING).spans.map(({ span, context }) => ({
      span,
      context,
      bytes: Buffer.from(from.subarray(span.byte, span.end)),
    })),
  );
  const kinds: Span['kind'][] = ['member', 'block', 'symbol', 'frame', 'raw'];
  fc.assert(
    fc.property(
      fc.constantFrom(...cases),
      fc.record(
        {
          bit: fc.integer({ min: -1, max: 9 }),
          length: fc.oneof(fc.integer({ min: -1, max: 400_000 }), fc.constant(2 ** 40)),
          kind: fc.constantFrom(...kinds),
        },
        { requiredKeys: [] },
      ),
      fc.record(
        {
          window: fc.uint8Array({ maxLength: 40_000 }),
          header: fc.option(
            fc.record({ bit: fc.integer({ min: -1, max: 8 }), bytes: fc.uint8Array({ maxLength: 700 }) }),
            { nil: undefined },
          ),
        },
        { requiredKeys: [] },
      ),
      fc.option(fc.tuple(fc.nat(), fc.nat(255)), { nil: undefined }),
      ({ span, context, bytes }, spanChange, contextChange, flip) => {
        const input = Buffer.from(bytes);
        if (flip !== undefined) input[flip[0] % input.length] = flip[1];
        const changed = { ...span, ...spanChange };
        try {
          const got = inflateGzipSpan(changed, { ...context, ...contextChange }, input);
          assert.equal(got.length, changed.length);
        } catch (error) {
          assert.ok(isClipError(error, 'CORRUPT_LAYER'), String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('a reference before the window that was given is an error', () => {
  const plain = layerLikeBytes(600_000, 13);
  const blob = gzipSync(plain);
  const found = scanBlob(blob, LEAST_SPACING).spans.find(({ context }) => context.window.length > 0);
  assert.ok(found !== undefined);
  const bytes = blob.subarray(found.span.byte, found.span.end);
  const window = found.context.window.subarray(1);
  assert.throws(
    () => inflateGzipSpan(found.span, { ...found.context, window }, bytes),
    (error) => isClipError(error, 'CORRUPT_LAYER') && /too far back/.test(error.message),
  );
});

test('a sink may resume spans while scans are under way', () => {
  const plain = layerLikeBytes(600_000, 17);
  const blob = gzipSync(plain);
  const { spans } = scanBlob(blob, LEAST_SPACING);
  const nested = spans[2]!;
  let checked = 0;
  const inner = (): void => {
    const bytes = inflateGzipSpan(
      nested.span,
      nested.context,
      blob.subarray(nested.span.byte, nested.span.end),
    );
    assert.ok(plain.subarray(nested.span.offset, nested.span.offset + nested.span.length).equals(bytes));
    checked++;
  };
  inner();
  const again: Span[] = [];
  const outer = createGzipScanner(
    {
      data: inner,
      span(span) {
        inner();
        again.push(span);
      },
    },
    { spacing: LEAST_SPACING },
  );
  for (let at = 0; at < blob.length; at += 10_000) {
    outer.push(blob.subarray(at, at + 10_000));
    scanBlob(gzipSync('another scan'), LEAST_SPACING);
  }
  outer.end();
  assert.deepEqual(
    again,
    spans.map(({ span }) => span),
  );
  assert.ok(checked > 10);
});
