import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import type { Span } from '../../src/format/model.js';
import { createZstdDecoder } from '../../src/inflate/zstd/decode.js';
import type { FrameDecoder } from '../../src/inflate/zstd/frame-decoder.js';
import { decodeStream } from '../../src/read/decode-stream.js';
import { zlibDecoders } from '../support/fake-image.js';
import { chunked, decoders, makeFrame, rawFrame, sample, sha256 } from '../support/zstd.js';

const LENGTH = 1 << 20;
const plain = sample(5 * LENGTH);
const spans = Array.from({ length: 5 }, (_, index) => spanOf(index));

function spanOf(index: number): Span {
  const offset = index * LENGTH;
  const digest = sha256(plain.subarray(offset, offset + LENGTH));
  return { index, offset, length: LENGTH, byte: 0, bit: 0, end: 1, kind: 'frame', skip: offset, digest };
}

/** Decodes as the read path does, and counts the frames that a decoder holds. */
function decoding(decoder: FrameDecoder) {
  const held = { opened: 0, closed: 0 };
  const counted: FrameDecoder = {
    ...decoder,
    open() {
      held.opened++;
      const stream = decoder.open();
      return {
        write: (chunk) => stream.write(chunk),
        end: () => stream.end(),
        close() {
          held.closed++;
          stream.close();
        },
      };
    },
  };
  const found: string[] = [];
  const run = (
    chunks: Iterable<Uint8Array>,
    how: { spans?: Span[]; stopEarly?: boolean; signal?: AbortSignal; onSpan?: () => void } = {},
  ) =>
    decodeStream({
      decoders: {
        ...zlibDecoders,
        createLayerDecoder: (_encoding, sink) => createZstdDecoder(sink, { decoder: counted }),
      },
      encoding: 'zstd',
      spans: how.spans ?? spans,
      chunks: (async function* () {
        yield* chunks;
      })(),
      signal: how.signal ?? new AbortController().signal,
      stopEarly: how.stopEarly ?? false,
      onSpan(_span, value) {
        found.push(sha256(value));
        how.onSpan?.();
      },
    });
  return { held, found, run };
}

for (const decoder of decoders) {
  test(`a decoder is closed however its stream ends (${decoder.name})`, async () => {
    const blob = rawFrame(plain);
    const chunks = () => chunked(blob, [100_000]);
    const digests = spans.map(({ digest }) => digest);

    const whole = decoding(decoder);
    await whole.run(chunks());
    assert.deepEqual(whole.found, digests);
    assert.deepEqual(whole.held, { opened: 1, closed: 1 });

    const early = decoding(decoder);
    let taken = 0;
    const counted = (function* () {
      for (const chunk of chunks()) {
        taken += chunk.length;
        yield chunk;
      }
    })();
    await early.run(counted, { spans: spans.slice(0, 2), stopEarly: true });
    assert.deepEqual(early.found, digests.slice(0, 2));
    assert.deepEqual(early.held, { opened: 1, closed: 1 });
    assert.ok(taken < 2 * LENGTH + 400_000, `${taken} bytes taken`);

    const broken = decoding(decoder);
    const breaking = (function* () {
      yield blob.subarray(0, 2_000_000);
      throw new Error('the connection broke');
    })();
    await assert.rejects(broken.run(breaking), /the connection broke/);
    assert.deepEqual(broken.held, { opened: 1, closed: 1 });

    const aborted = decoding(decoder);
    const controller = new AbortController();
    const { signal } = controller;
    await assert.rejects(aborted.run(chunks(), { signal, onSpan: () => controller.abort() }), {
      name: 'AbortError',
    });
    assert.equal(aborted.found.length, 1);
    assert.deepEqual(aborted.held, { opened: 1, closed: 1 });
  });

  test(`a bomb in one chunk is decoded no further than what is wanted of it (${decoder.name})`, async () => {
    // 25 GiB.
    const bomb = makeFrame(Array.from({ length: 200_000 }, () => ({ zeros: 1 << 17 })));
    const enough = decoding(decoder);
    await enough.run([bomb], { spans: spans.slice(0, 2), stopEarly: true });
    assert.equal(enough.found.length, 2);
    assert.deepEqual(enough.held, { opened: 1, closed: 1 });

    const more = decoding(decoder);
    await assert.rejects(more.run([bomb]), (error) => isClipError(error, 'CORRUPT_LAYER'));
    assert.deepEqual(more.held, { opened: 1, closed: 1 });
  });
}
