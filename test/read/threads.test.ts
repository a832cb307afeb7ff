// Large reads: spans inflated in threads, as exact and as counted as in the reader's own thread.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { createBuffers } from '../../src/buffers.js';
import { isClipError } from '../../src/errors.js';
import { createSpanThreads, type SpanThreads } from '../../src/inflate/span-threads.js';
import type { Decoders } from '../../src/read/decoders.js';
import { createThreadUse } from '../../src/read/thread-use.js';
import { fakeImage, noise } from '../support/fake-image.js';
import { reading, temporaryFolder } from '../support/reading.js';
import { realDecoders, scannedImage } from '../support/scanned-image.js';
import { sample } from '../support/zstd.js';

test('decoders that cannot be loaded are no unhandled rejection: who inflates meets the error', async () => {
  const threads = createThreadUse(() => Promise.reject(new Error('gone')), createBuffers());
  threads.enter(1 << 30)();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(threads.ready(), undefined);
  await threads.close();
});

const SPACING = 128 * 1024;
const files = {
  a: sample(3_000_000, 1),
  b: noise(1_000_000, 2),
  c: Buffer.alloc(2_000_000),
  d: sample(10, 3),
};

const image = await scannedImage(fakeImage([{ files }]), { pack: (tar) => gzipSync(tar), spacing: SPACING });

/** Threads that have started before the first span comes, for loads of any size; counts what they inflate. */
async function threaded(): Promise<{ decoders: Decoders; inflated: () => number }> {
  let inflated = 0;
  const threads = createSpanThreads(2, createBuffers());
  while (!threads.ready()) await new Promise((resolve) => setTimeout(resolve, 5));
  const counting: SpanThreads = {
    ...threads,
    inflate(job, signal) {
      inflated++;
      return threads.inflate(job, signal);
    },
  };
  return {
    decoders: { ...realDecoders, threads: { worthFrom: 0, open: async () => counting } },
    inflated: () => inflated,
  };
}

test('read(offset, length) is the slice of the file, and every inflate is counted', async () => {
  const { decoders, inflated } = await threaded();
  const { reader, receipt } = reading(image, { memory: 1 << 20, decoders });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...(Object.keys(files) as (keyof typeof files)[])),
      fc.nat(3_100_000),
      fc.nat(3_100_000),
      async (file, offset, length) => {
        const got = await reader.readAll(await image.node(file), { offset, length });
        assert.ok(got.equals(files[file].subarray(offset, offset + length)));
      },
    ),
    { numRuns: 25 },
  );
  await reader.close();
  const { lookups, hits, misses, inflates, inflateSeconds } = receipt.toJSON();
  assert.equal(lookups, hits.memory + hits.disk + misses);
  assert.equal(inflates, inflated());
  assert.ok(inflates > 0 && inflateSeconds > 0);
});

test('a thousand concurrent reads inflate each span once', async (t) => {
  const { decoders, inflated } = await threaded();
  const { reader, receipt } = reading(image, { decoders, cacheDir: temporaryFolder(t) });
  const names = Object.keys(files) as (keyof typeof files)[];
  await Promise.all(
    Array.from({ length: 1000 }, async (_, i) => {
      const name = names[i % names.length]!;
      const offset = (i * 7919) % files[name].length;
      const got = await reader.readAll(await image.node(name), { offset, length: 5000 });
      assert.ok(got.equals(files[name].subarray(offset, offset + 5000)));
    }),
  );
  for (const name of names) assert.ok((await reader.readAll(await image.node(name))).equals(files[name]));
  await reader.close();
  // Spans of nothing but zeros are one and the same.
  const spans = await image.index.spans(0, 0, image.index.layers[0]!.uncompressedSize);
  const distinct = new Set(spans.map((span) => span.digest)).size;
  assert.equal(receipt.toJSON().inflates, distinct);
  assert.equal(inflated(), distinct);
});

test('damage in the middle: what lies before it is read, then the error of its span', async () => {
  const members = fakeImage([{ files: { a: files.a } }], SPACING);
  const spans = await members.index.spans(0, 0, 4_000_000);
  const spoilt = {
    ...members,
    index: {
      ...members.index,
      // A length that is not what the members yield, and a digest that is not theirs.
      spans: async (layer: number, offset: number, length: number) =>
        (await members.index.spans(layer, offset, length)).map((span) =>
          span.index === 9
            ? { ...span, digest: '0'.repeat(64) }
            : span.index === 12
              ? { ...span, end: span.end - 2000 }
              : span,
        ),
    },
  };
  const { decoders } = await threaded();
  const { reader } = reading(spoilt, { decoders });
  let bytes = 0;
  await assert.rejects(
    async () => {
      for await (const chunk of reader.read(await members.node('a'))) bytes += chunk.length;
    },
    (error) =>
      isClipError(error, 'DIGEST_MISMATCH') && /span 9 /.test(String(error)) && error.hint !== undefined,
  );
  assert.equal(bytes, spans[9]!.offset - 512);
  await assert.rejects(reader.readAll(await members.node('a'), { offset: 11 * SPACING }), (error) =>
    isClipError(error, 'CORRUPT_LAYER'),
  );
  await reader.close();
});

test('a reader that stops early, and one that aborts, leave a reader that works', async () => {
  const { decoders } = await threaded();
  const { reader } = reading(image, { decoders, memory: 1 << 20 });
  for await (const _ of reader.read(await image.node('a'))) break;
  const controller = new AbortController();
  await assert.rejects(
    async () => {
      const { signal } = controller;
      for await (const _ of reader.read(await image.node('a'), { signal })) controller.abort();
    },
    { name: 'AbortError' },
  );
  assert.ok((await reader.readAll(await image.node('a'))).equals(files.a));
  await reader.close();
});

test('threads that were closed refuse work, and an aborted job waits for nothing', async () => {
  const threads = createSpanThreads(1, createBuffers());
  const signal = AbortSignal.abort(new Error('enough'));
  const [span] = await image.index.spans(0, 0, 1);
  const job = () => ({
    span: span!,
    context: { window: new Uint8Array(), header: undefined },
    compressed: new Uint8Array(span!.end - span!.byte),
  });
  await assert.rejects(threads.inflate({ ...job(), compressed: new Uint8Array(1) }, signal), (error) =>
    isClipError(error, 'CORRUPT_LAYER'),
  );
  await assert.rejects(threads.inflate(job(), signal), /enough/);
  const waiting = threads.inflate(job(), new AbortController().signal);
  waiting.catch(() => {});
  await threads.close();
  await assert.rejects(waiting, (error) => isClipError(error));
});
