import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ReadContext } from '../../src/read/context.js';
import { createLongRanges, type LongRanges } from '../../src/read/long-ranges.js';
import type { ImageSource } from '../../src/source/source.js';
import { noise } from '../support/fake-image.js';

const MIB = 1 << 20;
const CHUNK = 100_000;
const blob = noise(100 * MIB, 7);

interface World {
  ranges: LongRanges;
  /** What was asked of the source: first byte, one past the last, bytes that were given, and how it ended. */
  requests: { start: number; end: number; given: number; ended: 'whole' | 'broken off' | undefined }[];
}

function world(t: TestContext): World {
  const requests: World['requests'] = [];
  const source: Pick<ImageSource, 'range'> = {
    async *range(_, { offset, length }, { signal } = {}) {
      const request: World['requests'][number] = {
        start: offset,
        end: offset + length,
        given: 0,
        ended: undefined,
      };
      requests.push(request);
      try {
        for (let at = offset; at < request.end; at += CHUNK) {
          await new Promise((resolve) => setImmediate(resolve));
          signal?.throwIfAborted();
          const chunk = blob.subarray(at, Math.min(at + CHUNK, request.end));
          request.given += chunk.length;
          yield chunk;
        }
      } finally {
        request.ended = request.given === length ? 'whole' : 'broken off';
      }
    },
  };
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const context = {
    index: { layers: [{ digest: 'sha256:0', size: blob.length, mediaType }] },
    source: async () => source,
    observer: { emit() {} },
  } as unknown as ReadContext;
  const ranges = createLongRanges(context);
  t.after(() => ranges.close());
  return { ranges, requests };
}

async function read(
  { ranges }: World,
  start: number,
  end: number,
  signal = new AbortController().signal,
): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of ranges.read(0, { start, end, signal })) parts.push(Buffer.from(part));
  assert.ok(Buffer.concat(parts).equals(blob.subarray(start, end)), `bytes ${start} to ${end}`);
}

const lengths = ({ requests }: World) => requests.map(({ start, end }) => end - start);

test('one read asks for what it needs; neighbours that follow share answers that double', async (t) => {
  const at = world(t);
  const size = 3 * MIB;
  // Neighbours share the byte that a checkpoint splits.
  for (let start = 0; start + size < 60 * MIB; start += size - 1) await read(at, start, start + size);
  const asked = lengths(at);
  assert.deepEqual(asked.slice(0, 3), [size, 8 * MIB, 16 * MIB]);
  assert.ok(asked.length <= 5, `${asked.length} requests for 20 reads`);
  assert.equal(at.requests.filter(({ ended }) => ended === 'broken off').length, 0);
});

test('two windows at once get their parts of one answer, in turn', async (t) => {
  const at = world(t);
  const size = 2 * MIB;
  await read(at, 0, size);
  for (let start = size; start + 2 * size < 60 * MIB; start += 2 * size) {
    await Promise.all([read(at, start, start + size), read(at, start + size, start + 2 * size)]);
  }
  assert.ok(at.requests.length <= 7, `${at.requests.length} requests for 30 reads`);
});

test('reads here and there ask for no byte too many', async (t) => {
  const at = world(t);
  for (const start of [50, 10, 30, 20, 70]) await read(at, start * MIB, start * MIB + 1000);
  assert.deepEqual(lengths(at), [1000, 1000, 1000, 1000, 1000]);
  // Two at once from one layer do not wait for each other.
  await Promise.all([read(at, 5 * MIB, 6 * MIB), read(at, 80 * MIB, 81 * MIB)]);
  assert.deepEqual(lengths(at).slice(5), [MIB, MIB]);
});

test('an answer that is not wanted to its end is broken off, and the end of the blob is the end', async (t) => {
  const at = world(t);
  await read(at, 0, MIB);
  await read(at, MIB, 2 * MIB);
  await read(at, 50 * MIB, 51 * MIB);
  assert.equal(at.requests[1]?.ended, 'broken off');
  assert.ok(at.requests[1]!.given <= MIB + CHUNK, 'nothing is taken in that is not wanted');
  await read(at, 51 * MIB, 52 * MIB);
  at.ranges.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(at.requests[3]?.ended, 'broken off');
  await read(at, 98 * MIB, 99 * MIB);
  await read(at, 99 * MIB, 100 * MIB);
  assert.equal(at.requests.at(-1)!.end, blob.length);
});

test('a read that is given up takes its answer along, and the next one opens another', async (t) => {
  const at = world(t);
  await read(at, 0, MIB);
  const controller = new AbortController();
  const given = read(at, MIB, 5 * MIB, controller.signal);
  const next = read(at, 5 * MIB, 6 * MIB);
  setImmediate(() => controller.abort(new Error('enough')));
  await assert.rejects(given, /enough/);
  await next;
  await read(at, 6 * MIB, 7 * MIB);
});

test('what the source throws is thrown, and no later read waits for it', async (t) => {
  const at = world(t);
  await read(at, 0, MIB);
  await read(at, MIB, 2 * MIB);
  const broken = createLongRanges({
    index: { layers: [{ digest: 'sha256:0', size: blob.length, mediaType: 'x' }] },
    source: () => Promise.reject(new Error('no source')),
    observer: { emit() {} },
  } as unknown as ReadContext);
  const { signal } = new AbortController();
  for (const start of [0, 1000, 2000]) {
    await assert.rejects(async () => {
      for await (const _ of broken.read(0, { start, end: start + 1000, signal }));
    }, /no source/);
  }
});
