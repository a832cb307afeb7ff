// What is loaded ahead of sequential reads: how much, when, and when not.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createImageFs } from '../../src/read/fs.js';
import { createReadAhead } from '../../src/read/read-ahead.js';
import type { Node } from '../../src/tree/node.js';
import { fakeImage } from '../support/fake-image.js';
import { reading } from '../support/reading.js';
import { noise } from '../support/test-image.js';

const MiB = 1 << 20;

function watch(size: number) {
  const loads: { offset: number; length: number }[] = [];
  const node = { entry: { size } } as Pick<Node, 'entry'>;
  const ahead = createReadAhead(node, async (range) => {
    loads.push(range);
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { loads, ahead, settle };
}

test('reads in order load what comes next, once, in steps that double up to 8 MiB', async () => {
  const { loads, ahead, settle } = watch(64 * MiB);
  for (let offset = 0; offset < 64 * MiB; offset += 256 << 10) {
    ahead.note(offset, 256 << 10);
    await settle();
  }
  const steps = loads.map(({ length }) => length / MiB);
  assert.deepEqual(steps.slice(0, 4), [2, 4, 8, 8]);
  assert.ok(steps.every((step) => step <= 8));
  for (const [i, load] of loads.entries()) {
    const before = loads[i - 1];
    assert.equal(load.offset, before ? before.offset + before.length : 768 << 10, 'without gaps or overlaps');
  }
  const last = loads.at(-1)!;
  assert.equal(last.offset + last.length, 64 * MiB, 'and not beyond the end');
});

test('two reads prove nothing, and jumps begin anew', async () => {
  const { loads, ahead, settle } = watch(64 * MiB);
  for (const offset of [0, 30, 5, 40, 8, 41, 2].map((n) => n * MiB)) {
    ahead.note(offset, 4096);
    ahead.note(offset + 4096, 4096);
    await settle();
  }
  assert.deepEqual(loads, []);
  ahead.note(2 * MiB + 8192, 4096);
  assert.equal(loads.length, 1);
});

test('one load at a time, and none after the file was closed', async () => {
  const loads: AbortSignal[] = [];
  const ahead = createReadAhead({ entry: { size: 64 * MiB } } as Pick<Node, 'entry'>, (_, signal) => {
    loads.push(signal);
    return new Promise(() => {});
  });
  for (let i = 0; i < 40; i++) ahead.note(i * MiB, MiB);
  assert.equal(loads.length, 1);
  ahead.stop();
  assert.equal(loads[0]!.aborted, true);
  ahead.note(40 * MiB, MiB);
  assert.equal(loads.length, 1);
});

test('a file that is read in order waits for its first spans and for no later one; the bytes are its own', async () => {
  const bytes = noise(96 << 16, 5);
  const image = fakeImage([{ files: { a: bytes } }]);
  const { reader, receipt } = reading(image);
  const handle = await createImageFs(reader).open('/a');
  const buffer = Buffer.alloc(32 << 10);
  for (let offset = 0; offset < bytes.length; offset += buffer.length) {
    const { bytesRead } = await handle.read(buffer);
    assert.ok(buffer.subarray(0, bytesRead).equals(bytes.subarray(offset, offset + bytesRead)));
    // The fake image answers without any input or output; who reads a real one gives other work its turn.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await handle.close();
  const { misses, prefetched, requests, lookups, hits } = receipt.toJSON();
  await reader.close();
  assert.ok(misses <= 12, JSON.stringify(receipt.toJSON()));
  assert.equal(hits.memory, lookups - misses);
  assert.ok(misses + prefetched >= 96 && misses + prefetched <= 112, `${misses} + ${prefetched}`);
  assert.ok(requests <= 20, `${requests} requests`);
});

test('reads here and there load nothing ahead', async () => {
  const image = fakeImage([{ files: { a: noise(96 << 16, 5) } }]);
  const { reader, receipt } = reading(image);
  const handle = await createImageFs(reader).open('/a');
  const buffer = Buffer.alloc(4096);
  for (const span of [3, 90, 17, 18, 44, 2]) await handle.read(buffer, 0, 4096, span << 16);
  await handle.close();
  await reader.close();
  assert.deepEqual([receipt.toJSON().misses, receipt.toJSON().prefetched], [6, 0]);
});
