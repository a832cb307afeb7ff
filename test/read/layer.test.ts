import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import { digestOf } from '../../src/reference/digest.js';
import { fakeImage, noise } from '../support/fake-image.js';
import { reading, temporaryFolder } from '../support/reading.js';

const files = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}`, noise(10_000 + i, i + 1)]));

for (const concurrent of [false, true]) {
  test(`layer: 50 ${concurrent ? 'concurrent ' : ''}reads are 1 inflate, 1 miss and 49 hits`, async (t) => {
    const image = fakeImage([{ files }], 32 * 1024);
    const { reader, receipt, events } = reading(image, { strategy: 'layer', cacheDir: temporaryFolder(t) });
    const one = async (name: string) => {
      const bytes = await reader.readAll(await image.node(name));
      assert.ok(bytes.equals(files[name] as Buffer));
    };
    if (concurrent) await Promise.all(Object.keys(files).map(one));
    else for (const name of Object.keys(files)) await one(name);
    await reader.close();
    const sums = receipt.toJSON();
    assert.equal(sums.inflates, 1);
    assert.equal(sums.inflatedBytes, image.layers[0]?.byteLength);
    assert.equal(sums.lookups, 50);
    assert.equal(sums.misses, 1);
    assert.equal(sums.hits.memory + sums.hits.disk, 49);
    assert.equal(sums.requests, 1);
    assert.deepEqual(
      image.source.calls.map((call) => call.kind),
      ['blob'],
    );
    assert.equal(events.filter((event) => event.type === 'layer-cached').length, 1);
  });
}

test('naive: 50 reads are 50 inflates of one fetched blob, and nothing is left behind', async (t) => {
  const folder = temporaryFolder(t);
  const { TMPDIR } = process.env;
  process.env.TMPDIR = folder;
  t.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  const image = fakeImage([{ files }], 32 * 1024);
  const { reader, receipt } = reading(image, { strategy: 'naive' });
  for (const [name, bytes] of Object.entries(files)) {
    assert.ok((await reader.readAll(await image.node(name))).equals(bytes));
  }
  await reader.close();
  const sums = receipt.toJSON();
  assert.equal(sums.inflates, 50);
  assert.equal(sums.requests, 1);
  assert.equal(sums.lookups, 50);
  assert.equal(sums.misses, 50);
  assert.equal(sums.hitRate, 0);
  assert.deepEqual(readdirSync(folder), []);
});

test('naive: a transfer that broke is begun anew by the next read', async (t) => {
  const image = fakeImage([{ files }]);
  const { reader } = reading(image, { strategy: 'naive' });
  t.after(() => reader.close());
  image.source.failAfter = 1;
  await assert.rejects(reader.readAll(await image.node('f0')), { code: 'NETWORK' });
  image.source.failAfter = undefined;
  assert.ok((await reader.readAll(await image.node('f0'))).equals(files.f0!));
});

for (const strategy of ['span', 'layer', 'naive'] as const) {
  test(`${strategy}: a layer that is named by its SHA-512`, async (t) => {
    const image = fakeImage([{ files }]);
    const [layer] = image.index.layers;
    const { digest: sha256 } = layer!;
    const chunks: Uint8Array[] = [];
    for await (const chunk of image.source.blob(layer!)) chunks.push(Uint8Array.from(chunk));
    layer!.digest = digestOf(Buffer.concat(chunks), 'sha512');
    const { blob, range } = image.source;
    image.source.blob = (wanted, ...rest) => blob({ ...wanted, digest: sha256 }, ...rest);
    image.source.range = (wanted, ...rest) => range({ ...wanted, digest: sha256 }, ...rest);
    const { reader } = reading(image, { strategy, cacheDir: temporaryFolder(t) });
    t.after(() => reader.close());
    assert.ok((await reader.readAll(await image.node('f0'))).equals(files.f0!));
  });
}

test('layer: a new process finds the layer on disk', async (t) => {
  const cacheDir = temporaryFolder(t);
  const image = fakeImage([{ files }]);
  const first = reading(image, { strategy: 'layer', cacheDir });
  await first.reader.readAll(await image.node('f0'));
  await first.reader.close();
  const second = reading(image, { strategy: 'layer', cacheDir });
  for (const name of Object.keys(files)) await second.reader.readAll(await image.node(name));
  const sums = second.receipt.toJSON();
  assert.equal(sums.inflates, 0);
  assert.equal(sums.requests, 0);
  assert.equal(sums.lookups, 50);
  assert.equal(sums.misses, 0);
});

test('layer: what was evicted is decoded again', async (t) => {
  const cacheDir = temporaryFolder(t);
  const image = fakeImage([{ files }]);
  const { reader, receipt } = reading(image, { strategy: 'layer', cacheDir, memory: 0 });
  await reader.readAll(await image.node('f0'));
  await reader.prefetch([]);
  while (receipt.toJSON().inflates < 1) await new Promise((resolve) => setTimeout(resolve, 2));
  rmSync(join(cacheDir, 'spans', 'sha256'), { recursive: true });
  assert.ok((await reader.readAll(await image.node('f49'))).equals(files.f49 as Buffer));
  await reader.close();
  const sums = receipt.toJSON();
  assert.equal(sums.inflates, 2);
  assert.equal(sums.misses, 2);
});

test('layer: where no tier can hold it, it says so and inflates nothing', async () => {
  const image = fakeImage([{ files }]);
  const { reader, receipt } = reading(image, { strategy: 'layer', memory: 200_000 });
  await assert.rejects(reader.readAll(await image.node('f0')), (error) => {
    assert.ok(isClipError(error, 'NO_ROOM_FOR_LAYER'));
    assert.match(error.hint ?? '', /--strategy span/);
    return true;
  });
  const sums = receipt.toJSON();
  assert.equal(sums.inflates, 0);
  assert.equal(sums.misses, 1);
});

test('layer: a reader that leaves does not stop the decoder; a hurried close does', async (t) => {
  const image = fakeImage([{ files }]);
  const { reader, receipt } = reading(image, { strategy: 'layer', cacheDir: temporaryFolder(t) });
  for await (const _ of reader.read(await image.node('f0'))) break;
  await reader.close();
  assert.equal(receipt.toJSON().inflates, 1);

  const slow = fakeImage([{ files }]);
  slow.source.pause = () => new Promise((resolve) => setTimeout(resolve, 20));
  const cacheDir = temporaryFolder(t);
  const hurried = reading(slow, { strategy: 'layer', cacheDir });
  for await (const _ of hurried.reader.read(await slow.node('f0'))) break;
  await hurried.reader.close({ abort: true });
  assert.equal(hurried.receipt.toJSON().inflates, 0);
  assert.ok(existsSync(cacheDir));
});

test('layer: a layer that inflates to something else is refused', async (t) => {
  const image = fakeImage([{ files }]);
  const [info] = image.index.layers;
  const whole = image.index.spans;
  image.index.spans = async (layer, offset, length) => {
    const spans = await whole(layer, offset, length);
    return length === info?.uncompressedSize ? spans.slice(0, -1) : spans;
  };
  const { reader } = reading(image, { strategy: 'layer', cacheDir: temporaryFolder(t) });
  await assert.rejects(reader.readAll(await image.node('f49')), (e) => isClipError(e, 'CORRUPT_LAYER'));
});
