// Walks over many files: the memory of what was handed out is used again, and never what somebody still looks at.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { createBuffers } from '../../src/buffers.js';
import { createSpanThreads } from '../../src/inflate/span-threads.js';
import type { Decoders } from '../../src/read/decoders.js';
import type { ImageReader } from '../../src/read/reader.js';
import { createShelf } from '../../src/read/shelf.js';
import type { Node } from '../../src/tree/node.js';
import { fakeImage, noise } from '../support/fake-image.js';
import { reading, temporaryFolder } from '../support/reading.js';
import { realDecoders, scannedImage } from '../support/scanned-image.js';

const SPACING = 256 << 10;
const FILES = 60;
const files: Record<string, Buffer> = {};
// Some spans are shared by files, some files lie in several spans; 24 MB in all, more than two windows.
for (let i = 0; i < FILES; i++) files[`f${i}`] = noise(i % 3 === 0 ? 1_200_000 : 5_000 + i * 100, i);
const image = await scannedImage(fakeImage([{ files }]), {
  pack: (tar) => gzipSync(tar, { level: 1 }),
  spacing: SPACING,
});
const spans = (await image.index.spans(0, 0, 1 << 30)).length;
const inOrder = await Promise.all(Object.keys(files).map((name) => image.node(name)));

/** With threads that have started. */
async function threadedReader(options: Parameters<typeof reading>[1]) {
  let ready = () => false;
  const decoders: Decoders = {
    ...realDecoders,
    threads: {
      worthFrom: 0,
      async open(buffers) {
        const threads = createSpanThreads(2, buffers);
        ready = threads.ready;
        return threads;
      },
    },
  };
  const opened = reading(image, { ...options, decoders });
  const first = inOrder[0]!;
  await opened.reader.readAll(first, { length: 1 });
  while (!ready()) await sleep(5);
  return opened;
}

/** Reads every node and compares it, part by part. */
async function walk(reader: ImageReader, nodes: readonly Node[], inDataOrder = false): Promise<void> {
  let at = 0;
  let whole = 0;
  for await (const { node, bytes, last } of await reader.readFiles(nodes, { inDataOrder })) {
    const expected = files[node.path]!.subarray(at, at + bytes.byteLength);
    assert.ok(expected.equals(bytes), `${node.path} at ${at}`);
    at += bytes.byteLength;
    if (!last) continue;
    assert.equal(at, files[node.path]!.length);
    whole++;
    at = 0;
  }
  assert.equal(whole, nodes.length);
}

/** Always the same. */
function shuffled(nodes: readonly Node[], seed: number): Node[] {
  const key = (i: number) => noise(4, seed * 1000 + i).readUInt32LE();
  return nodes
    .map((node, i) => ({ node, key: key(i) }))
    .sort((a, b) => a.key - b.key)
    .map(({ node }) => node);
}

test('in the order of the data each span is inflated once', async () => {
  const { reader, receipt } = await threadedReader({ memory: 1 << 20 });
  const before = receipt.toJSON().inflates;
  await walk(reader, inOrder, true);
  // The first span may still be in memory.
  const inflates = receipt.toJSON().inflates - before;
  assert.ok(inflates === spans || inflates === spans - 1, `${inflates} of ${spans}`);
  await reader.close();
});

test('files in any order, two walks and single reads at once: every byte is right', async () => {
  for (const memory of [0, 1 << 20, 64 << 20]) {
    const { reader } = await threadedReader({ memory });
    const kept: { node: Node; chunks: Uint8Array[] }[] = [];
    const single = async (node: Node) => {
      const chunks: Uint8Array[] = [];
      // Views that are kept beyond the read, as the library's users may.
      for await (const chunk of reader.read(node)) chunks.push(chunk);
      kept.push({ node, chunks });
    };
    await Promise.all([
      walk(reader, shuffled(inOrder, 1)),
      walk(reader, shuffled(inOrder, 2)),
      walk(reader, inOrder, true),
      ...shuffled(inOrder, 3).slice(0, 20).map(single),
    ]);
    await walk(reader, shuffled(inOrder, 4));
    for (const { node, chunks } of kept)
      assert.ok(Buffer.concat(chunks).equals(files[node.path]!), node.path);
    await reader.close();
  }
});

test('what a cache holds is not used for something else', async (t) => {
  const cacheDir = temporaryFolder(t);
  const { reader } = await threadedReader({ memory: 4 << 20, cacheDir });
  await walk(reader, shuffled(inOrder, 5));
  await walk(reader, shuffled(inOrder, 6));
  await reader.close();
  const again = reading(image, { memory: 64 << 20, cacheDir, decoders: realDecoders });
  await walk(again.reader, inOrder);
  assert.equal(again.receipt.toJSON().inflates, 0);
  assert.equal(again.receipt.toJSON().corrupt, 0);
  await again.reader.close();
});

test('a part that is held stays as it is until it is let go', async () => {
  const { reader } = await threadedReader({ memory: 0 });
  const held: { node: Node; at: number; bytes: Uint8Array; release: () => void }[] = [];
  let at = 0;
  for await (const { node, bytes, hold, last } of await reader.readFiles(inOrder)) {
    if (bytes.byteLength > 0) held.push({ node, at, bytes, release: hold() });
    at = last ? 0 : at + bytes.byteLength;
    if (held.length <= 8) continue;
    const { release, ...oldest } = held.shift()!;
    const end = oldest.at + oldest.bytes.byteLength;
    assert.ok(files[oldest.node.path]!.subarray(oldest.at, end).equals(oldest.bytes));
    release();
  }
  await reader.close();
});

test('a walk that is left early, or aborted, leaves the reader usable', async () => {
  const { reader } = await threadedReader({ memory: 1 << 20 });
  for await (const { last } of await reader.readFiles(inOrder)) if (last) break;
  const controller = new AbortController();
  await assert.rejects(
    async () => {
      for await (const _ of await reader.readFiles(inOrder, { signal: controller.signal }))
        controller.abort();
    },
    { name: 'AbortError' },
  );
  await walk(reader, inOrder);
  await reader.close();
});

test('the shelf grows by what it let go too early, and gives back only what nobody else has', () => {
  const given: Uint8Array[] = [];
  const buffers = { ...createBuffers(), give: (bytes: Uint8Array) => given.push(bytes) };
  const MB = 1 << 20;
  const shelf = createShelf(18 * MB, buffers as ReturnType<typeof createBuffers>);
  const values = Array.from({ length: 20 }, (_, i) => ({ value: new Uint8Array(MB), own: i !== 1 }));
  for (const [i, value] of values.entries()) shelf.put(`${i}`, value);
  // 16 MB at first: 0 to 3 are gone, of which 1 was somebody else's too.
  assert.deepEqual(given, [values[0]!.value, values[2]!.value, values[3]!.value]);
  assert.equal(shelf.take('2'), undefined);
  assert.equal(shelf.take('3'), undefined);
  assert.equal(shelf.take('0'), undefined);
  for (const i of [0, 2, 3]) shelf.put(`${i}`, values[i]!);
  // Room for 18 now, which is all it may have: of 4, 5, …, 19, 0, 2, 3 only the first had to go.
  assert.equal(given.length, 4);
  assert.equal(shelf.take('4'), undefined);
  assert.equal(shelf.take('5'), values[5]);
  assert.equal(shelf.take('5'), undefined, 'who takes a value has it alone');
});

test('buffers are handed out again, never one that is in use, too large or transferred', () => {
  const buffers = createBuffers();
  const one = buffers.take(100_000);
  const { buffer } = one;
  assert.notEqual(buffers.take(100_000).buffer, buffer);
  buffers.give(one.subarray(10));
  assert.notEqual(buffers.take(49_999).buffer, buffer, 'too large');
  assert.notEqual(buffers.take(100_001).buffer, buffer, 'too small');
  const again = buffers.take(90_000);
  assert.equal(again.buffer, buffer);
  assert.deepEqual([again.byteOffset, again.byteLength], [0, 90_000]);
  structuredClone(again, { transfer: [again.buffer] });
  buffers.give(again);
  assert.equal(buffers.take(90_000).byteLength, 90_000);
  buffers.give(Buffer.from('a part of the pool of Node'));
  assert.equal(buffers.take(20).buffer.byteLength, 20);
});
