import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { fakeImage, noise } from '../support/fake-image.js';
import { needs } from '../support/needs.js';
import { reading, temporaryFolder } from '../support/reading.js';
import { realDecoders, scannedImage } from '../support/scanned-image.js';
import { sample } from '../support/zstd.js';

const SPACING = 128 * 1024;
const files = {
  a: sample(300_000, 1),
  b: noise(200_000, 2),
  c: sample(1_500_000, 3),
  d: Buffer.alloc(900_000),
  e: sample(100, 4),
};

function pipe(program: string, ...args: string[]): (tar: Uint8Array) => Uint8Array {
  return (input) => {
    const { status, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: 1 << 28 });
    assert.equal(status, 0, String(stderr));
    return stdout;
  };
}

/** Members or frames of 200,000 bytes, one after the other. */
function inParts(pack: (part: Uint8Array) => Uint8Array): (tar: Uint8Array) => Uint8Array {
  return (tar) => {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < tar.byteLength; at += 200_000) parts.push(pack(tar.subarray(at, at + 200_000)));
    return Buffer.concat(parts);
  };
}

const packers: Record<string, { programs: string[]; pack: (tar: Uint8Array) => Uint8Array }> = {
  'gzip -9': { programs: ['gzip'], pack: pipe('gzip', '-9') },
  'igzip -0, one block': { programs: ['igzip'], pack: pipe('igzip', '-0') },
  'pigz -i': { programs: ['pigz'], pack: pipe('pigz', '-i') },
  'gzip members': { programs: [], pack: inParts((part) => gzipSync(part)) },
  'one zstd frame': { programs: ['zstd'], pack: pipe('zstd', '-3') },
  'zstd frames': { programs: ['zstd'], pack: inParts(pipe('zstd', '-3')) },
  plain: { programs: [], pack: (tar) => tar },
};

for (const [name, { programs, pack }] of Object.entries(packers)) {
  test(`${name}: read(offset, length) is the slice of the file under every strategy`, async (t) => {
    if (!needs(t, ...programs)) return;
    const image = await scannedImage(fakeImage([{ files }]), { pack, spacing: SPACING });
    for (const strategy of ['span', 'layer', 'naive'] as const) {
      const { reader, receipt } = reading(image, {
        strategy,
        memory: 4 << 20,
        cacheDir: temporaryFolder(t),
        decoders: realDecoders,
      });
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...(Object.keys(files) as (keyof typeof files)[])),
          fc.nat(1_600_000),
          fc.nat(1_600_000),
          async (file, offset, length) => {
            const got = await reader.readAll(await image.node(file), { offset, length });
            assert.ok(got.equals(files[file].subarray(offset, offset + length)));
          },
        ),
        { numRuns: 15 },
      );
      await reader.close();
      const { hits, lookups, misses, inflates } = receipt.toJSON();
      assert.equal(lookups, hits.memory + hits.disk + misses);
      if (strategy === 'layer') assert.ok(inflates <= 1);
      if (name === 'plain') assert.equal(inflates, 0);
    }
  });
}

test('one zstd frame: concurrent reads of many spans decode it once and fill all its spans', async (t) => {
  if (!needs(t, 'zstd')) return;
  const image = await scannedImage(fakeImage([{ files }]), { pack: pipe('zstd'), spacing: SPACING });
  const { reader, receipt } = reading(image, { decoders: realDecoders });
  const node = await image.node('c');
  await Promise.all(
    Array.from({ length: 50 }, (_, i) => reader.readAll(node, { offset: i * 29_000, length: 10 })),
  );
  assert.ok((await reader.readAll(await image.node('a'))).equals(files.a));
  await reader.close();
  const sums = receipt.toJSON();
  assert.equal(sums.requests, 1);
  assert.equal(sums.inflatedBytes, image.layers[0]?.byteLength);
});

test('one zstd frame that no tier can hold: a read decodes no further than it must', async (t) => {
  if (!needs(t, 'zstd')) return;
  const image = await scannedImage(fakeImage([{ files }]), { pack: pipe('zstd'), spacing: SPACING });
  const { reader, receipt } = reading(image, { decoders: realDecoders, memory: 1 << 20 });
  assert.ok((await reader.readAll(await image.node('b'))).equals(files.b));
  const first = receipt.toJSON();
  assert.ok(first.inflatedBytes < 1_000_000, `${first.inflatedBytes}`);
  assert.ok((await reader.readAll(await image.node('e'))).equals(files.e));
});

test('the urls of a non-distributable layer come from the source’s manifest', async () => {
  const image = await scannedImage(fakeImage([{ files }]), {
    pack: (tar) => gzipSync(tar),
    spacing: SPACING,
    mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    urls: ['https://elsewhere.example/layer'],
  });
  const seen: (readonly string[] | undefined)[] = [];
  const { range } = image.source;
  image.source.range = (descriptor, where, options) => {
    seen.push(descriptor.urls);
    return range(descriptor, where, options);
  };
  const { reader } = reading(image, { decoders: realDecoders });
  assert.ok((await reader.readAll(await image.node('e'))).equals(files.e));
  assert.deepEqual(seen, [['https://elsewhere.example/layer']]);
});
