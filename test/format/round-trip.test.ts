import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../src/bytes.js';
import { bufferSource } from '../../src/format/buffer-source.js';
import type { ImageIndex } from '../../src/format/image-index.js';
import { openLayerSection } from '../../src/format/layer-section.js';
import { openIndex } from '../../src/format/open-index.js';
import { allOf } from '../support/all-of.js';
import { imageArbitrary, layerArbitrary, SPACING } from '../support/index-arbitraries.js';
import { encodeFile, expectedNode, readAll } from '../support/index-file.js';

test('a layer section gives back its entries, spans and windows', async () => {
  await fc.assert(
    fc.asyncProperty(layerArbitrary, async (layer) => {
      const section = await openLayerSection(bufferSource(layer.section));
      assert.deepEqual(section.info, layer.info);
      assert.equal(section.spacing, SPACING);
      assert.deepEqual(await allOf(section.entries()), layer.entries);
      assert.deepEqual(
        await section.spans(0, layer.info.uncompressedSize),
        layer.spans.map(({ span }) => span),
      );
      for (const { span, context } of layer.spans) {
        assert.deepEqual(await section.spanContext(span), context);
      }
    }),
    { numRuns: 150 },
  );
});

test('an index gives back its tree, layers, manifest and hint', async () => {
  await fc.assert(
    fc.asyncProperty(imageArbitrary, async (image) => {
      const index = await openIndex(bufferSource(encodeFile(image)));
      const expected = image.nodes.map((node, i) => expectedNode(image, node, i));
      const all = await readAll(index);
      assert.deepEqual(all.nodes, expected);
      assert.equal(index.nodeCount, expected.length - 1);
      image.layers.forEach((layer, i) => {
        const { mediaType, ...info } = all.layers[i]!.info;
        assert.equal(mediaType, 'application/vnd.oci.image.layer.v1.tar+gzip');
        assert.deepEqual(info, layer.info);
        assert.deepEqual(
          all.layers[i]!.spans,
          layer.spans.map(({ span }) => span),
        );
        assert.deepEqual(
          all.layers[i]!.contexts,
          layer.spans.map(({ context }) => context),
        );
      });
      assert.equal(Buffer.from(all.description.manifest).toString(), '{"schemaVersion":2}');
      assert.equal(all.description.platform, 'linux/amd64');
      assert.equal(all.hint, 'docker://example.org/a:b');
      for (const node of expected) assert.deepEqual(await index.lookup(node.path), node);
    }),
    { numRuns: 100 },
  );
});

test('walk of a path is the node and all below it; children are what is one level below', async () => {
  await fc.assert(
    fc.asyncProperty(imageArbitrary, fc.nat(), async (image, pick) => {
      const index = await openIndex(bufferSource(encodeFile(image)));
      const paths = image.nodes.map((node) => node.path as string);
      const node = paths[pick % paths.length]!;
      for (const path of [
        node,
        node.slice(0, node.lastIndexOf('/') + 1).slice(0, -1),
        `${node}x`,
        'nowhere',
      ]) {
        const walked: string[] = [];
        for await (const batch of index.walk(path as ByteString)) walked.push(...batch.map((n) => n.path));
        const below = path === '' ? '' : `${path}/`;
        assert.deepEqual(
          walked,
          paths.filter((p) => p === path || p.startsWith(below)),
        );
        const children = (await allOf(index.children(path as ByteString))).map((child) => child.path);
        assert.deepEqual(
          children,
          paths.filter((p) => p !== '' && p.startsWith(below) && !p.slice(below.length).includes('/')),
        );
        assert.deepEqual(
          await pathsOfRuns(index, path as ByteString),
          walked.filter((p) => p !== path),
        );
        if (!paths.includes(path)) assert.equal(await index.lookup(path as ByteString), undefined);
      }
    }),
    { numRuns: 150 },
  );
});

/** The paths of `pathsBelow`, its lines checked against them. */
async function pathsOfRuns(index: ImageIndex, directory: ByteString): Promise<string[]> {
  const all: string[] = [];
  for await (const run of index.pathsBelow(directory)) {
    const paths = Array.from({ length: run.count }, (_, i) => run.at(i));
    assert.equal(Buffer.from(run.lines()).toString('latin1'), paths.map((path) => `/${path}\n`).join(''));
    if (run.plain) assert.match(paths.join(''), /^[\x20-\x5b\x5d-\x7e]*$/);
    all.push(...paths);
  }
  return all;
}

test('spans of a range are those that overlap it', async () => {
  await fc.assert(
    fc.asyncProperty(layerArbitrary, fc.nat(), fc.nat(), async (layer, a, b) => {
      const section = await openLayerSection(bufferSource(layer.section));
      const offset = a % (layer.info.uncompressedSize + 10);
      const length = 1 + (b % layer.info.uncompressedSize);
      const end = offset + length;
      assert.deepEqual(
        await section.spans(offset, length),
        layer.spans
          .map(({ span }) => span)
          .filter((span) => span.offset < end && span.offset + span.length > offset),
      );
    }),
    { numRuns: 150 },
  );
});

test('a section taken out of an index is the section that went in, and encodes the same image again', async () => {
  await fc.assert(
    fc.asyncProperty(imageArbitrary, async (image) => {
      const file = encodeFile(image);
      const index = await openIndex(bufferSource(file));
      for (let i = 0; i < image.layers.length; i++) {
        const section = await index.layerSection(i);
        assert.deepEqual(Buffer.from(section), Buffer.from(image.layers[i]!.section));
        image.layers[i] = { ...image.layers[i]!, section };
      }
      assert.deepEqual(encodeFile(image), file);
      const other = await openIndex(bufferSource(encodeFile(image, '')));
      assert.equal(other.sourceHint, undefined);
      assert.equal(other.identity, index.identity);
    }),
    { numRuns: 30 },
  );
});
