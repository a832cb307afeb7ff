import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { createRing, ringWriter } from '../../src/build/byte-ring.js';
import { type HashThreadData, MARK } from '../../src/build/hash-messages.js';
import { isClipError } from '../../src/errors.js';

const thread = new URL('../../src/build/hash-thread.js', import.meta.url);

/** V8 ends waits early now and then when there are more threads than cores; a ring that trusts them hashes torn slots. */
test('four rings at once, on however few cores, hash what was written, stream after stream', async () => {
  const writer = `
    const { MessageChannel, parentPort, receiveMessageOnPort, workerData, Worker } = require('node:worker_threads');
    const { createHash } = require('node:crypto');
    import(workerData.module).then(({ createRing, ringWriter }) => {
      const ring = createRing();
      const { port1, port2 } = new MessageChannel();
      new Worker(new URL(workerData.thread), { workerData: { ring, port: port2 }, transferList: [port2] }).unref();
      const out = ringWriter(ring);
      let equal = true;
      for (let stream = 0; stream < 4; stream++) {
        const hash = createHash('sha256');
        for (let i = 0; i < 200; i++) {
          const bytes = Buffer.alloc(1 + ((i * 7919 * 97) % 700000), i + stream);
          hash.update(bytes);
          out.write(bytes);
        }
        equal &&= hash.digest('hex') === Buffer.from(out.finish().subarray(0, 32)).toString('hex');
        equal &&= receiveMessageOnPort(port1).message.length === 0;
      }
      parentPort.postMessage(equal);
    });`;
  const module = new URL('../../src/build/byte-ring.js', import.meta.url).href;
  const results = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const worker = new Worker(writer, { eval: true, workerData: { module, thread: thread.href } });
      const equal = await new Promise((resolve, reject) =>
        worker.once('message', resolve).once('error', reject),
      );
      await worker.terminate();
      return equal;
    }),
  );
  assert.deepEqual(results, [true, true, true, true]);
});

/** A hash thread and the end of its ring that is written to. */
function hashThread(t: TestContext) {
  const ring = createRing();
  const { port1, port2 } = new MessageChannel();
  const workerData: HashThreadData = { ring, port: port2 };
  const worker = new Worker(thread, { workerData, transferList: [port2] });
  t.after(() => {
    port1.close();
    return worker.terminate();
  });
  const out = ringWriter(ring);
  return {
    out,
    finish() {
      const tar = Buffer.from(out.finish().subarray(0, 32)).toString('hex');
      return { tar, spans: receiveMessageOnPort(port1)?.message as string[] };
    },
  };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('an empty stream has the digest of nothing', (t) => {
  assert.deepEqual(hashThread(t).finish(), { tar: sha256(Buffer.alloc(0)), spans: [] });
});

test('spans that are cut long after they have gone by have their digests, stream after stream', (t) => {
  const { out, finish } = hashThread(t);
  const bytes = randomBytes(1_000_000);
  /** From where bytes are held, where the cut is, and how many bytes have gone by when it comes. */
  const cuts = [
    [100_000, 100_000, 100_000],
    [250_000, 300_001, 420_000],
    [420_000, 700_000, 700_000],
    [700_000, 999_999, 1_000_000],
  ] as const;
  for (let stream = 0; stream < 3; stream++) {
    out.mark(MARK.begin, 0);
    let at = 0;
    let start = 0;
    const expected: string[] = [];
    const upTo = (end: number): void => {
      out.write(bytes.subarray(at, end));
      at = end;
    };
    for (const [held, cut, seen] of cuts) {
      upTo(Math.max(at, held));
      out.mark(MARK.hold, held);
      upTo(seen);
      out.mark(MARK.cut, cut);
      expected.push(sha256(bytes.subarray(start, cut)));
      start = cut;
    }
    out.mark(MARK.cut, bytes.length);
    expected.push(sha256(bytes.subarray(start)));
    assert.deepEqual(finish(), { tar: sha256(bytes), spans: expected });
  }
});

test('a stream without the mark has no spans, even after one that had', (t) => {
  const { out, finish } = hashThread(t);
  out.mark(MARK.begin, 0);
  out.write(Buffer.from('abc'));
  out.mark(MARK.cut, 3);
  assert.equal(finish().spans.length, 1);
  out.write(Buffer.from('abc'));
  assert.deepEqual(finish(), { tar: sha256(Buffer.from('abc')), spans: [] });
});

test('a ring that nobody reads is given up, whether it is full or waits for its end', () => {
  const gone = (error: unknown) => isClipError(error, 'FAILED');
  const full = ringWriter(createRing(), 20);
  assert.throws(() => full.write(new Uint8Array(8 << 20)), gone);
  const ended = ringWriter(createRing(), 20);
  ended.write(new Uint8Array(10));
  assert.throws(() => ended.finish(), gone);
});
