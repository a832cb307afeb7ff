import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { createChunkStream } from '../../src/read/read-stream.js';
import { noise } from '../support/fake-image.js';

const consumers: Record<string, (stream: Readable, steps: number[]) => Promise<Buffer>> = {
  async iterates(stream) {
    const got: Buffer[] = [];
    for await (const chunk of stream) got.push(chunk);
    return Buffer.concat(got);
  },
  async 'reads odd amounts'(stream, steps) {
    const got: Buffer[] = [];
    let ended = false;
    stream.setMaxListeners(0);
    stream.once('end', () => {
      ended = true;
    });
    for (let i = 0; !ended; ) {
      const chunk: Buffer | null = stream.read(steps[i % steps.length] ?? 1) ?? stream.read();
      if (chunk) {
        got.push(chunk);
        i++;
      } else await Promise.race([once(stream, 'readable'), once(stream, 'end')]);
    }
    return Buffer.concat(got);
  },
  async 'pauses now and then'(stream, steps) {
    const got: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => {
      got.push(chunk);
      if ((steps[got.length % steps.length] ?? 0) % 2 === 0) {
        stream.pause();
        setImmediate(() => stream.resume());
      }
    });
    await once(stream, 'end');
    return Buffer.concat(got);
  },
  async 'pipes into a slow sink'(stream) {
    const got: Buffer[] = [];
    const sink = new Writable({
      highWaterMark: 50,
      write(chunk, _encoding, done) {
        got.push(chunk);
        setImmediate(done);
      },
    });
    await pipeline(stream, sink);
    return Buffer.concat(got);
  },
};

for (const [name, consume] of Object.entries(consumers)) {
  test(`a consumer that ${name} gets every byte once`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 300 }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
        async (sizes, highWaterMark, steps) => {
          const chunks = sizes.map((size, i) => noise(size, i + 1));
          async function* source() {
            for (const [i, chunk] of chunks.entries()) {
              if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
              yield chunk;
            }
          }
          const stream = createChunkStream(source, { highWaterMark });
          assert.ok((await consume(stream, steps)).equals(Buffer.concat(chunks)));
        },
      ),
      { numRuns: 60 },
    );
  });
}

test('destroying the stream aborts and closes its source', async () => {
  let signal: AbortSignal | undefined;
  let closed = false;
  async function* source(given: AbortSignal) {
    signal = given;
    try {
      for (;;) yield noise(100);
    } finally {
      closed = true;
    }
  }
  for await (const _ of createChunkStream(source, { highWaterMark: 10 })) break;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(signal?.aborted, true);
  assert.equal(closed, true);
});
