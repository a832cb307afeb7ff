import assert from 'node:assert/strict';
import { Transform } from 'node:stream';
import { test } from 'node:test';
import { type ClipError, type ErrorCode, isClipError } from '../../src/errors.js';
import { createZstdDecoder } from '../../src/inflate/zstd/decode.js';
import type { FrameDecoder } from '../../src/inflate/zstd/frame-decoder.js';
import { pullFrom } from '../../src/inflate/zstd/native-decoder.js';
import { inflateFrameSpan } from '../../src/inflate/zstd/resume.js';
import {
  decoders,
  hasProgram,
  makeFrame,
  rawFrame,
  run,
  sample,
  scanZstd,
  skippable,
} from '../support/zstd.js';

const needsZstd = hasProgram('zstd') ? false : 'needs zstd';

function fails(code: ErrorCode, pattern = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isClipError(error, code), `${error}`);
    assert.match(error.message, pattern);
    return true;
  };
}

async function outcome(blob: Uint8Array, decoder: FrameDecoder): Promise<Buffer | ClipError> {
  try {
    return (await scanZstd(blob, { decoder, sizes: [1 << 20] })).data;
  } catch (error) {
    if (!isClipError(error)) throw error;
    return error;
  }
}

for (const decoder of decoders) {
  test(`any one byte changed: an error or the same bytes (${decoder.name})`, {
    skip: needsZstd,
  }, async () => {
    const plain = sample(1200);
    const blob = Buffer.concat([
      run('zstd', ['-q', '-c', '-9', '--check'], plain.subarray(0, 900)),
      skippable(Buffer.from('between')),
      rawFrame(plain.subarray(900), { checksum: true, contentSize: 300 }),
    ]);
    let refused = 0;
    for (let at = 0; at < blob.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const changed = Buffer.from(blob);
        changed[at]! ^= flip;
        const result = await outcome(changed, decoder);
        if (Buffer.isBuffer(result)) assert.ok(result.equals(plain), `byte ${at} xor ${flip}`);
        else refused++;
      }
    }
    // The skippable frame's payload, the low bits of its magic and unused header bits may change; hardly anything else.
    assert.ok(refused > 3 * blob.length - 60, `${refused} of ${3 * blob.length} refused`);
  });

  test(`cut off anywhere (${decoder.name})`, { skip: needsZstd }, async () => {
    const blob = Buffer.concat([
      run('zstd', ['-q', '-c', '--check'], sample(700)),
      skippable(Buffer.alloc(5)),
    ]);
    const whole = blob.length - 13;
    for (let size = 1; size < blob.length; size++) {
      if (size === whole) continue;
      await assert.rejects(scanZstd(blob.subarray(0, size), { decoder }), fails('CORRUPT_LAYER', /cut off/));
    }
  });

  test(`a long frame that is corrupt in the middle (${decoder.name})`, { skip: needsZstd }, async () => {
    const blob = run('zstd', ['-q', '-c', '-1', '--check'], sample(6_000_000));
    for (let at = 1000; at < blob.length; at += Math.ceil(blob.length / 12)) {
      const changed = Buffer.from(blob);
      changed[at]! ^= 0x55;
      await assert.rejects(scanZstd(changed, { decoder }), fails('CORRUPT_LAYER'));
    }
  });

  test(`a wrong checksum, of a short and of a long frame (${decoder.name})`, async () => {
    for (const size of [10, 5_000_000]) {
      const blob = rawFrame(sample(size), { checksum: 12345 });
      await assert.rejects(scanZstd(blob, { decoder }), fails('CORRUPT_LAYER', /checksum/));
    }
  });

  test(`what the header announces must come (${decoder.name})`, async () => {
    for (const [size, contentSize] of [
      [10, 9],
      [10, 11],
      [10, 0],
      [0, 1],
      [10, 2 ** 52],
      [5_000_000, 4_999_999],
      [5_000_000, 5_000_001],
      [5_000_000, 1],
    ] as const) {
      await assert.rejects(
        scanZstd(rawFrame(sample(size), { contentSize }), { decoder }),
        fails('CORRUPT_LAYER'),
      );
    }
    const huge = rawFrame(sample(10), { contentSize: 2n ** 60n });
    await assert.rejects(scanZstd(huge, { decoder }), fails('CORRUPT_LAYER', /2\^53/));
  });

  test(`a gigabyte of zeros in 32 kB is decoded in bounded memory (${decoder.name})`, async () => {
    const total = 1 << 30;
    const blob = makeFrame(Array.from({ length: total >> 17 }, () => ({ zeros: 1 << 17 })));
    assert.ok(blob.length < 40_000);
    const before = process.memoryUsage().rss;
    let size = 0;
    let most = 0;
    let largest = 0;
    const sink = {
      data(bytes: Uint8Array) {
        size += bytes.length;
        largest = Math.max(largest, bytes.length);
        if (size % (64 << 20) < bytes.length) most = Math.max(most, process.memoryUsage().rss - before);
      },
    };
    const zstd = createZstdDecoder(sink, { decoder });
    await zstd.push(blob);
    zstd.end();
    assert.equal(size, total);
    assert.ok(largest <= 4 << 20);
    assert.ok(most < 100 << 20, `${most >> 20} MiB`);
  });

  test(`a bomb is decoded no further than the span that is wanted (${decoder.name})`, async () => {
    const blocks = Array.from({ length: 200_000 }, () => ({ zeros: 1 << 17 }));
    const blob = makeFrame(blocks);
    const length = 1 << 20;
    const at = 60 * length;
    const span = { index: 60, offset: at, length, byte: 0, bit: 0, end: blob.length, kind: 'frame' } as const;
    const before = process.memoryUsage().rss;
    const began = performance.now();
    const bytes = await inflateFrameSpan({ ...span, skip: at, digest: '' }, blob, { decoder });
    assert.equal(bytes.length, length);
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 120 << 20, `${grown >> 20} MiB`);
    // All 25 GB of it would take longer by far.
    assert.ok(performance.now() - began < 3000);
  });
}

test('checksum and size are compared here, whatever a decoder makes of them', async () => {
  const content = sample(300);
  const careless: FrameDecoder = {
    name: 'native',
    whole: () => content,
    open: () => ({
      async *write() {
        yield content;
      },
      async *end() {},
      close() {},
    }),
  };
  const right = rawFrame(content, { checksum: true, contentSize: 300 });
  assert.ok((await scanZstd(right, { decoder: careless })).data.equals(content));
  for (const blob of [rawFrame(content, { checksum: 1 }), rawFrame(content, { contentSize: 299 })]) {
    await assert.rejects(scanZstd(blob, { decoder: careless }), fails('CORRUPT_LAYER'));
  }
  const more = rawFrame(sample(301), { contentSize: 301 });
  await assert.rejects(scanZstd(more, { decoder: careless }), fails('CORRUPT_LAYER', /announces/));
});

test('what is behind the last frame and no frame itself is refused, as zstd does', async (t) => {
  for (const garbage of [
    Buffer.alloc(4),
    Buffer.from('garbage'),
    Buffer.alloc(512),
    Buffer.from([0x28, 0xb5]),
  ]) {
    const blob = Buffer.concat([rawFrame(sample(10)), garbage]);
    await assert.rejects(scanZstd(blob), fails('CORRUPT_LAYER', /neither|cut off/));
    if (needsZstd) t.diagnostic(needsZstd);
    else assert.throws(() => run('zstd', ['-q', '-d', '-c'], blob));
  }
});

test('reserved bits, reserved blocks, and blocks larger than the window allows', async () => {
  const frame = rawFrame(sample(10));
  const reservedBit = Buffer.from(frame);
  reservedBit[4]! |= 8;
  await assert.rejects(scanZstd(reservedBit), fails('CORRUPT_LAYER', /reserved bit/));
  const reservedBlock = Buffer.from(frame);
  reservedBlock[6]! |= 6;
  await assert.rejects(scanZstd(reservedBlock), fails('CORRUPT_LAYER', /reserved type/));
  await assert.rejects(scanZstd(makeFrame([{ zeros: 131073 }])), fails('CORRUPT_LAYER', /window/));
  await assert.rejects(
    scanZstd(makeFrame([{ zeros: 1025 }], { window: 0 })),
    fails('CORRUPT_LAYER', /window/),
  );
});

test('a window over 128 MiB is refused with a hint', { skip: needsZstd }, async () => {
  const plain = sample(300_000);
  const blob = run('zstd', ['-q', '-c', '-1', '--long=31', '--no-check'], plain);
  await assert.rejects(scanZstd(blob), (error) => {
    assert.ok(fails('UNSUPPORTED', /window/)(error));
    assert.match((error as ClipError).hint ?? '', /--long=27/);
    return true;
  });
  // 128 MiB itself is allowed; one step more is not.
  for (const decoder of decoders) {
    const largest = rawFrame(sample(5_000_000), { window: 17 << 3, checksum: true });
    assert.ok((await scanZstd(largest, { decoder })).data.equals(sample(5_000_000)));
    const over = rawFrame(plain, { window: (17 << 3) | 1 });
    await assert.rejects(scanZstd(over, { decoder }), fails('UNSUPPORTED'));
  }
});

test('a dictionary is refused, the dictionary number 0 is none', async () => {
  await assert.rejects(
    scanZstd(rawFrame(sample(9), { dictionary: 77 })),
    fails('UNSUPPORTED', /dictionary 77/),
  );
  for (const decoder of decoders) {
    const { data } = await scanZstd(rawFrame(sample(9), { dictionary: 0 }), { decoder });
    assert.ok(data.equals(sample(9)));
  }
});

test('an error of the consumer ends the scan and is its error', async () => {
  for (const decoder of decoders) {
    const failure = new Error('no room');
    const sink = {
      data() {
        throw failure;
      },
    };
    const zstd = createZstdDecoder(sink, { decoder });
    await assert.rejects(zstd.push(rawFrame(sample(5_000_000))), (error) => error === failure);
  }
});

test('a decoder that never answers meets the deadline', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const silent = pullFrom(new Transform({ transform() {} }));
  const next = silent.write(Buffer.from('x')).next();
  t.mock.timers.tick(29_999);
  t.mock.timers.tick(1);
  await assert.rejects(next, fails('CORRUPT_LAYER', /no progress/));
  silent.close();
});

test('libzstd in WebAssembly gives its memory back', async () => {
  const wasm = decoders[0]!;
  const blob = rawFrame(sample(4_300_000), { window: 13 << 3, checksum: 1 });
  const before = process.memoryUsage();
  for (let turn = 0; turn < 60; turn++)
    await assert.rejects(scanZstd(blob, { decoder: wasm, sizes: [1 << 20] }));
  const grown = process.memoryUsage().rss - before.rss;
  assert.ok(grown < 150 << 20, `${grown >> 20} MiB`);
});
