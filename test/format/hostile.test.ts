import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isClipError } from '../../src/errors.js';
import { bufferSource } from '../../src/format/buffer-source.js';
import { HEADER_BYTES } from '../../src/format/file-head.js';
import { openLayerSection } from '../../src/format/layer-section.js';
import { FILE_MAGIC } from '../../src/format/magic.js';
import { openIndex } from '../../src/format/open-index.js';
import { allOf } from '../support/all-of.js';
import {
  forgeDirectory,
  forgeFileDirectory,
  putTogether,
  replaceSection,
  split,
  takeApart,
} from '../support/forge.js';
import { imageArbitrary, type TestImage } from '../support/index-arbitraries.js';
import { encodeFile, readAll } from '../support/index-file.js';

/** One image with something of everything. */
const image: TestImage = fc
  .sample(imageArbitrary, { seed: 20, numRuns: 15 })
  .reduce((most, next) => (richness(next) > richness(most) ? next : most));

function richness({ layers, nodes }: TestImage): number {
  const sparse = layers.some(({ entries }) => entries.some((entry) => entry.extents));
  return nodes.length + layers.reduce((sum, layer) => sum + layer.spans.length, 0) + (sparse ? 50 : 0);
}

async function answers(file: Buffer) {
  const index = await openIndex(bufferSource(file));
  const all = await readAll(index);
  await allOf(index.children('' as never));
  for await (const run of index.pathsBelow('' as never)) run.lines();
  for (const { path } of all.nodes.slice(0, 20)) await index.lookup(path);
  for (let layer = 0; layer < index.layers.length; layer++) {
    const section = await openLayerSection(bufferSource(await index.layerSection(layer)));
    await allOf(section.entries());
  }
  return all;
}

/** Answers, or 'refused'; anything but a ClipError of the two codes fails the test. */
async function ask(file: Buffer) {
  try {
    return await answers(file);
  } catch (error) {
    if (!isClipError(error, 'CORRUPT_INDEX') && !isClipError(error, 'NEWER_INDEX')) throw error;
    assert.ok(error.hint, 'the error has a hint');
    return 'refused';
  }
}

test('every damaged byte is found, or changes no answer', async () => {
  const file = encodeFile(image);
  const truth = await answers(file);
  let unnoticed = 0;
  for (let at = 0; at < file.length; at++) {
    const damaged = Buffer.from(file);
    damaged[at]! ^= 1 << (at % 8);
    const answer = await ask(damaged);
    if (answer === 'refused') continue;
    unnoticed++;
    assert.deepEqual(answer, truth, `byte ${at}`);
  }
  // Only the minor version in each section's preamble may differ without harm.
  assert.ok(unnoticed <= 2 * (image.layers.length + 1), `${unnoticed} damaged bytes went unnoticed`);
});

test('a truncated or lengthened index is refused at any length', async () => {
  const file = encodeFile(image);
  for (let length = 0; length < file.length; length += length < 2000 ? 1 : 17) {
    assert.equal(await ask(file.subarray(0, length)), 'refused', `${length} bytes`);
  }
  assert.equal(await ask(Buffer.concat([file, Buffer.from([0])])), 'refused');
});

test('a foreign file is no index, a later major version is newer, not corrupt', async () => {
  const code = (code: 'CORRUPT_INDEX' | 'NEWER_INDEX') => (error: unknown) => isClipError(error, code);
  for (const foreign of [Buffer.alloc(0), Buffer.alloc(1000), Buffer.from('#!/bin/sh\n'.repeat(100))]) {
    await assert.rejects(openIndex(bufferSource(foreign)), code('CORRUPT_INDEX'));
  }
  const newer = encodeFile(image);
  newer.writeUInt16LE(2, 8);
  await assert.rejects(openIndex(bufferSource(newer)), code('NEWER_INDEX'));
  assert.ok(newer.subarray(0, 8).equals(FILE_MAGIC));
  const older = encodeFile(image);
  older.writeUInt16LE(0, 8);
  await assert.rejects(openIndex(bufferSource(older)), code('CORRUPT_INDEX'));
});

/** A change of some bytes: replaced, removed, put in, or a number made huge. */
const change = fc.record({
  at: fc.nat(),
  remove: fc.nat(4),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 4 }),
    fc.constant(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f])),
    fc.constant(Uint8Array.from([0x80, 0x80, 0x04])),
  ),
});

function apply(bytes: Buffer, { at, remove, insert }: Change): Buffer {
  const place = at % (bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + remove)]);
}

interface Change {
  at: number;
  remove: number;
  insert: Uint8Array;
}

test('forged blocks, signed with digests that hold, are refused or give some answer', async () => {
  const file = encodeFile(image);
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), fc.nat(), change, async (a, b, c, edit) => {
      const parts = takeApart(file);
      const section = parts.sections[a % parts.sections.length]!;
      const stream = section.streams[b % section.streams.length]!;
      const block = stream.blocks[c % stream.blocks.length]!;
      const decoded = apply(block.decoded, edit);
      if (decoded.length === 0 || decoded.length > 65_536) return;
      block.decoded = decoded;
      await ask(putTogether(parts));
    }),
    { numRuns: 500 },
  );
});

test('forged facts of a section are refused or give some answer', async () => {
  const file = encodeFile(image);
  await fc.assert(
    fc.asyncProperty(fc.nat(), change, async (a, edit) => {
      const parts = takeApart(file);
      const section = parts.sections[a % parts.sections.length]!;
      section.info = apply(section.info, edit);
      await ask(putTogether(parts));
    }),
    { numRuns: 300 },
  );
});

test('forged directories are refused or give some answer', async () => {
  const file = encodeFile(image);
  await fc.assert(
    fc.asyncProperty(fc.nat(), change, async (a, edit) => {
      const { sections } = split(file);
      const number = a % sections.length;
      await ask(
        replaceSection(
          file,
          number,
          forgeDirectory(sections[number]!, (directory) => apply(directory, edit)),
        ),
      );
      await ask(forgeFileDirectory(file, (directory) => apply(directory, edit)));
    }),
    { numRuns: 300 },
  );
});

test('a number of entries, nodes or spans that is not there is refused before anything is allocated', async () => {
  const file = encodeFile(image);
  for (const items of [0, 1, 4096, 4097]) {
    const parts = takeApart(file);
    for (const section of parts.sections) {
      for (const stream of section.streams) for (const block of stream.blocks) block.items = items;
    }
    assert.equal(await ask(putTogether(parts)), 'refused', `${items} items`);
  }
});

test('the directory is not trusted to say how long it is', async () => {
  const file = encodeFile(image);
  const forged = Buffer.from(file);
  forged.writeUInt32LE(0xffff_ffff, 12);
  assert.equal(await ask(forged), 'refused');
  forged.writeUInt32LE(60_000_000, 12);
  assert.equal(await ask(forged), 'refused');
  assert.ok(file.length > HEADER_BYTES);
});
