import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isClipError } from '../../src/errors.js';
import { fakeImage, noise, zlibDecoders } from '../support/fake-image.js';
import { reading, temporaryFolder } from '../support/reading.js';

const KB = 1024;

function contentsOf(size: number, runs: { logical: number; bytes: Uint8Array }[]): Buffer {
  const whole = Buffer.alloc(size);
  for (const run of runs) whole.set(run.bytes, run.logical);
  return whole;
}

const runs = [
  { logical: 4 * KB, bytes: noise(100, 5) },
  { logical: 70 * KB, bytes: noise(90 * KB, 6) },
  { logical: 200 * KB, bytes: noise(3, 7) },
];
const files = {
  small: noise(700, 2),
  empty: new Uint8Array(),
  large: noise(700 * KB, 3),
  sparse: { size: 300 * KB, runs },
  hole: { size: 200 * KB, runs: [] },
};
const expected: Record<string, Buffer> = {
  small: files.small,
  large: files.large,
  sparse: contentsOf(300 * KB, runs),
  hole: Buffer.alloc(200 * KB),
  empty: Buffer.alloc(0),
};

for (const strategy of ['span', 'layer', 'auto', 'naive'] as const) {
  for (const encoding of ['gzip', 'plain'] as const) {
    test(`${strategy}, ${encoding}: any range of any file equals the slice of the file`, async () => {
      const image = fakeImage([{ files, encoding }], 32 * KB);
      const { reader, receipt } = reading(image, { strategy, memory: 2 << 20 });
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...Object.keys(files)),
          fc.nat(750 * KB),
          fc.nat(750 * KB),
          async (name, offset, length) => {
            const node = await image.node(name);
            const slice = (expected[name] as Buffer).subarray(offset, offset + length);
            const before = receipt.toJSON().lookups;
            assert.ok((await reader.readAll(node, { offset, length })).equals(slice));
            const between = receipt.toJSON().lookups;
            const chunks: Uint8Array[] = [];
            for await (const chunk of reader.read(node, { offset, length })) chunks.push(chunk);
            assert.ok(Buffer.concat(chunks).equals(slice));
            // A read of one span goes another way, and counts as the stream does.
            assert.equal(receipt.toJSON().lookups - between, between - before);
          },
        ),
        { numRuns: 60 },
      );
      const sums = receipt.toJSON();
      assert.equal(sums.reads, 120);
      assert.equal(sums.lookups, sums.hits.memory + sums.misses);
      if (encoding === 'plain') assert.equal(sums.inflates, 0);
      await reader.close();
    });
  }
}

test('span: neighbours are fetched by one request and inflated once; warm reads touch nothing', async () => {
  const image = fakeImage([{ files }]);
  const { reader, receipt } = reading(image);
  const node = await image.node('large');
  assert.ok((await reader.readAll(node)).equals(files.large));
  const cold = receipt.toJSON();
  assert.equal(cold.requests, 1);
  assert.equal(cold.misses, 11);
  assert.equal(cold.inflates, 11);
  assert.ok((await reader.readAll(node)).equals(files.large));
  const warm = receipt.toJSON();
  assert.equal(warm.requests, 1);
  assert.equal(warm.inflates, 11);
  assert.equal(warm.hits.memory, 11);
  assert.equal(warm.hitRate, 0.5);
});

test('span: only what is missing between hits is fetched', async () => {
  const image = fakeImage([{ files }]);
  const { reader } = reading(image);
  const node = await image.node('large');
  await reader.readAll(node, { offset: 300 * KB, length: 1 });
  await reader.readAll(node);
  assert.equal(image.source.calls.length, 3);
  const fetched = image.source.calls.reduce((sum, call) => sum + call.length, 0);
  const spans = await image.index.spans(0, node.entry.position, node.entry.size);
  assert.equal(
    fetched,
    spans.reduce((sum, span) => sum + span.end - span.byte, 0),
  );
});

/** A reader that has every second span of `large` in memory, so that the rest are six runs of one span each. */
async function withGaps() {
  const image = fakeImage([{ files }]);
  const { reader } = reading(image);
  const node = await image.node('large');
  const { position, size } = node.entry;
  for (const { index, offset } of await image.index.spans(0, position, size)) {
    if (index % 2 === 1) await reader.readAll(node, { offset: offset - position, length: 1 });
  }
  const calls = image.source.calls.length;
  return { image, reader, node, asked: () => image.source.calls.length - calls };
}

test('span: four runs of one load are asked for at a time', { timeout: 60_000 }, async () => {
  const { image, reader, node, asked } = await withGaps();
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  image.source.pause = () => gate;
  const reads = reader.readAll(node);
  while (asked() < 4) await new Promise(setImmediate);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(asked(), 4);
  open();
  assert.ok((await reads).equals(files.large));
  assert.equal(asked(), 6);
  await reader.close();
});

test('span: a run that fails does not wait for those that were asked for after it', async () => {
  const { image, reader, node, asked } = await withGaps();
  let chunks = 0;
  image.source.pause = () => (chunks++ === 0 ? Promise.resolve() : new Promise(() => {}));
  image.source.failAfter = 0;
  await assert.rejects(reader.readAll(node), (error) => isClipError(error, 'NETWORK'));
  assert.equal(asked(), 4);
});

test('a thousand concurrent reads of one span inflate it once', async () => {
  const image = fakeImage([{ files }]);
  const { reader, receipt } = reading(image, {
    decoders: {
      ...zlibDecoders,
      // The span comes when all of them wait for it.
      async inflateSpan(...span) {
        while (receipt.toJSON().lookups < 1000) await new Promise(setImmediate);
        return zlibDecoders.inflateSpan(...span);
      },
    },
  });
  const node = await image.node('small');
  const all = await Promise.all(Array.from({ length: 1000 }, () => reader.readAll(node)));
  assert.ok(all.every((bytes) => bytes.equals(files.small)));
  const sums = receipt.toJSON();
  assert.equal(sums.lookups, 1000);
  assert.equal(sums.misses, 1);
  assert.equal(sums.hits.memory, 999);
  assert.equal(sums.coalesced, 999);
  assert.equal(sums.inflates, 1);
  assert.equal(sums.requests, 1);
});

test('identical spans are fetched once', async () => {
  const zeros = Buffer.alloc(10 << 16);
  const image = fakeImage([{ files: { zeros } }]);
  const { reader, receipt } = reading(image);
  assert.ok((await reader.readAll(await image.node('zeros'))).equals(zeros));
  assert.ok(receipt.toJSON().inflates <= 3);
});

test('a warm disk answers a new process without network or decoder', async (t) => {
  const cacheDir = temporaryFolder(t);
  const image = fakeImage([{ files }]);
  const first = reading(image, { cacheDir });
  await first.reader.readAll(await image.node('large'));
  await first.reader.close();
  const second = reading(image, { cacheDir });
  assert.ok((await second.reader.readAll(await image.node('large'))).equals(files.large));
  const sums = second.receipt.toJSON();
  assert.equal(sums.requests, 0);
  assert.equal(sums.inflates, 0);
  assert.equal(sums.hits.disk, 11);
});

test('one reader that aborts does not disturb the others; the last one stops the fetch', async () => {
  const image = fakeImage([{ files }]);
  const waiting: (() => void)[] = [];
  image.source.pause = () => new Promise((resolve) => waiting.push(resolve));
  const { reader, receipt } = reading(image);
  const node = await image.node('small');
  const abort = new AbortController();
  const left = reader.readAll(node, { signal: abort.signal });
  const right = reader.readAll(node);
  await new Promise((resolve) => setTimeout(resolve, 10));
  abort.abort(new Error('enough'));
  await assert.rejects(left, /enough/);
  image.source.pause = undefined;
  for (const go of waiting) go();
  assert.ok((await right).equals(files.small));
  assert.equal(receipt.toJSON().inflates, 1);

  const third = fakeImage([{ files }]);
  let seen: AbortSignal | undefined;
  const range = third.source.range;
  third.source.range = (descriptor, where, options) => {
    seen = options?.signal;
    return range(descriptor, where, options);
  };
  third.source.pause = () => new Promise((resolve) => setTimeout(resolve, 5));
  const alone = reading(third);
  for await (const _ of alone.reader.read(await third.node('large'))) break;
  assert.equal(seen?.aborted, true);
});

test('a failing source fails every waiter, and the next read tries again', async () => {
  const image = fakeImage([{ files }]);
  image.source.failAfter = 100;
  const { reader, receipt } = reading(image);
  const node = await image.node('large');
  const results = await Promise.allSettled([reader.readAll(node), reader.readAll(node)]);
  for (const result of results) {
    assert.ok(result.status === 'rejected' && isClipError(result.reason, 'NETWORK'));
  }
  image.source.failAfter = undefined;
  assert.ok((await reader.readAll(node)).equals(files.large));
  const sums = receipt.toJSON();
  assert.equal(sums.lookups, sums.hits.memory + sums.misses);
});

test('bytes that are not the index’s are refused', async () => {
  const image = fakeImage([{ files }]);
  const spans = await image.index.spans(0, 0, 1);
  (spans[0] as { digest: string }).digest = 'ab'.repeat(32);
  const { reader } = reading(image);
  await assert.rejects(reader.readAll(await image.node('small')), (error) =>
    isClipError(error, 'DIGEST_MISMATCH'),
  );
});

test('a damaged span fails those who read it, and nobody else who waits for the same load', async () => {
  const big = noise(6 << 16, 8);
  const small = noise(900, 9);
  const image = fakeImage([{ files: { big, small } }]);
  const spans = await image.index.spans(0, 0, 1 << 20);
  (spans[3] as { digest: string }).digest = 'ab'.repeat(32);
  const { reader, receipt } = reading(image);
  const waiting = async (lookups: number) => {
    while (receipt.toJSON().lookups < lookups) await new Promise(setImmediate);
  };
  // The bytes come when all of them wait for them.
  image.source.pause = () => waiting(9);
  const node = await image.node('big');
  const whole = reader.readAll(node);
  await waiting(7);
  const [first, second, third] = await Promise.allSettled([
    whole,
    reader.readAll(await image.node('small')),
    reader.readAll(node, { offset: 5 << 16, length: 100 }),
  ]);
  assert.ok(first?.status === 'rejected' && isClipError(first.reason, 'DIGEST_MISMATCH'));
  assert.match(String(first.reason), /span 3 /);
  assert.ok(second?.status === 'fulfilled' && second.value.equals(small));
  assert.ok(third?.status === 'fulfilled' && third.value.equals(big.subarray(5 << 16, (5 << 16) + 100)));
  const { coalesced, inflates, requests } = receipt.toJSON();
  assert.deepEqual({ coalesced, inflates, requests }, { coalesced: 2, inflates: 6, requests: 3 });
  await reader.close();
});

test('large files pass by the memory tier but fill the disk tier', async (t) => {
  const image = fakeImage([{ files }]);
  const { reader, receipt, events } = reading(image, { memory: 2 << 20, cacheDir: temporaryFolder(t) });
  await reader.readAll(await image.node('small'));
  await reader.readAll(await image.node('large'));
  assert.equal(events.filter((event) => event.type === 'evicted').length, 0);
  await reader.readAll(await image.node('large'));
  const sums = receipt.toJSON();
  assert.equal(sums.hits.disk, 10);
  assert.equal(sums.misses, 11);
});

test('prefetch counts as such and makes later reads hits', async () => {
  const image = fakeImage([{ files }]);
  const { reader, receipt } = reading(image);
  await reader.prefetch([await image.node('large'), await image.node('small')]);
  const before = receipt.toJSON();
  assert.equal(before.prefetched, 11);
  assert.equal(before.lookups, 0);
  assert.equal(before.inflates, 0);
  assert.equal(before.requests, 1);
  await reader.readAll(await image.node('large'));
  const after = receipt.toJSON();
  assert.equal(after.misses, 0);
  assert.equal(after.hits.memory, 11);
});

test('prefetch asks for the next window while one is on its way', { timeout: 60_000 }, async () => {
  // No two spans of it are the same.
  const large = Uint8Array.from({ length: 20 << 20 }, (_, i) => i >>> 16);
  const image = fakeImage([{ files: { large }, encoding: 'plain' }], 1 << 20);
  const { reader } = reading(image, { memory: 64 << 20 });
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  image.source.pause = () => gate;
  const prefetch = reader.prefetch([await image.node('large')]);
  while (image.source.calls.length < 2) await new Promise(setImmediate);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(image.source.calls.length, 2);
  open();
  await prefetch;
  await reader.close();
});

test('auto fills the rest of a layer when half of it was fetched', async (t) => {
  const image = fakeImage([{ files: { a: noise(40 << 16, 9) } }]);
  const { reader, receipt } = reading(image, { strategy: 'auto', cacheDir: temporaryFolder(t) });
  const node = await image.node('a');
  for (let i = 0; i < 21; i++) await reader.readAll(node, { offset: i << 16, length: 10 });
  while (receipt.toJSON().prefetched + receipt.toJSON().misses < 40) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { misses, requests } = receipt.toJSON();
  await reader.readAll(node);
  assert.equal(receipt.toJSON().misses, misses);
  assert.ok(requests < 30);
  await reader.close();
});

test('a directory and a link are refused with codes of their own', async () => {
  const image = fakeImage([{ files: { d: 'directory', l: { symlink: 'd' } } }]);
  const { reader } = reading(image);
  await assert.rejects(reader.readAll(await image.node('d')), (e) => isClipError(e, 'IS_DIRECTORY'));
  await assert.rejects(reader.readAll(await image.node('l')), (e) => isClipError(e, 'NOT_A_FILE'));
});
