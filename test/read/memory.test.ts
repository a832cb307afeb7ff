import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { fakeImage } from '../support/fake-image.js';
import { reading, temporaryFolder } from '../support/reading.js';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');
const MB = 1 << 20;
const SIZE = 160 * MB;

/** Text lines, none like another, that pack well. */
function lines(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 64) bytes.write(`${at}`.padEnd(63, '-'), at);
  return bytes;
}

const image = fakeImage([{ files: { big: lines(SIZE) } }], MB);

for (const strategy of ['span', 'layer', 'naive'] as const) {
  test(`${strategy}: a 160 MB file streams in bounded memory`, async (t) => {
    const { reader, receipt } = reading(image, { strategy, memory: 4 * MB, cacheDir: temporaryFolder(t) });
    const node = await image.node('big');
    collect();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    let bytes = 0;
    for await (const chunk of reader.read(node)) {
      if (bytes >> 23 !== (bytes + chunk.byteLength) >> 23) {
        collect();
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      }
      bytes += chunk.byteLength;
    }
    await reader.close();
    assert.equal(bytes, SIZE);
    assert.equal(receipt.toJSON().bytesRead, bytes);
    // Two windows of 12 MB, the memory tier, what is on its way, and what V8 has not yet let go of.
    assert.ok(most < 96 * MB, `${Math.round(most / MB)} MB`);
  });
}
