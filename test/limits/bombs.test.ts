/** Layers that unfold to far more than they are: memory stays bounded, and what is inside can be read. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/reference/digest.js';
import { gzipBomb, zstdBomb } from '../support/bombs.js';
import { type PackedLayer, writePackedLayout } from '../support/layout-builder.js';
import { tempDir } from '../support/run-clip.js';
import { header, member, tar } from '../support/tar-builder.js';
import { measure } from './measured.js';

/** MiB; docs/security.md, "Memory". */
const MOST_MEMORY = 256;
const GIB = 2 ** 30;

const bombs: Record<string, (head: Buffer) => PackedLayer> = {
  gzip: (head) => gzipBomb(head, 64),
  zstd: (head) => zstdBomb(head, 64),
};

test('compressed bytes that unpack to nothing', async (t) => {
  const dir = await tempDir(t);
  const plain = tar(member({ name: 'a' }, 'text'));
  // Empty stored blocks.
  const nothing = Buffer.alloc(20_000_000, Buffer.from([0, 0, 0, 0xff, 0xff]));
  const [head, body] = [gzipSync(plain).subarray(0, 10), gzipSync(plain).subarray(10)];
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const layout = join(dir, 'layout');
  writePackedLayout(layout, [
    { blob: Buffer.concat([head, nothing, body]), diffId: digestOf(plain), mediaType },
  ]);
  const index = await measure(['index', `oci:${layout}:latest`, '-o', join(dir, 'i')], dir);
  assert.notEqual(index.status, 0);
  assert.match(index.stderr, /compressed bytes in a row hold \d+ bytes of a layer \(LIMIT\)/);
});

for (const [name, make] of Object.entries(bombs)) {
  test(`a gibibyte of zeros in a ${name} layer`, async (t) => {
    const dir = await tempDir(t);
    // The file takes all but a last kilobyte, which marks the archive's end.
    const layer = make(header({ name: 'zeros', size: GIB - 1024 }));
    assert.ok(layer.blob.length < 2 << 20, `${layer.blob.length} bytes`);
    const layout = join(dir, 'layout');
    writePackedLayout(layout, [layer]);
    const index = await measure(['index', `oci:${layout}:latest`, '-o', join(dir, 'i')], dir);
    assert.equal(index.status, 0, index.stderr);
    t.diagnostic(`index: ${Math.round(index.peak)} MiB, ${index.seconds.toFixed(1)} s`);
    assert.ok(index.peak < MOST_MEMORY, `${index.peak} MiB`);
    const args = ['cat', join(dir, 'i'), 'zeros', '--offset', String(GIB - 5000), '--length', '10'];
    const cat = await measure(args, dir);
    assert.equal(cat.status, 0, cat.stderr);
    assert.deepEqual(cat.stdout, Buffer.alloc(10));
    t.diagnostic(`cat: ${Math.round(cat.peak)} MiB, ${cat.seconds.toFixed(1)} s`);
    assert.ok(cat.peak < MOST_MEMORY, `${cat.peak} MiB`);
  });

  test(`a gibibyte of zeros in an archive that is compressed as a whole, ${name}`, async (t) => {
    const dir = await tempDir(t);
    const archive = join(dir, 'x.tar');
    writeFileSync(archive, make(header({ name: 'zeros', size: GIB - 1024 })).blob);
    // What has come out is written before more is decoded: so the spool's quota ends it.
    const index = await measure(['index', `docker-archive:${archive}`, '--disk-cache', '64MiB'], dir);
    assert.equal(index.status, 1, index.stderr);
    assert.match(index.stderr, /\(LIMIT\)$/m);
    t.diagnostic(`index: ${Math.round(index.peak)} MiB, ${index.seconds.toFixed(1)} s`);
    assert.ok(index.peak < MOST_MEMORY, `${index.peak} MiB`);
  });
}
