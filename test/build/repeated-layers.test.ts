// An image that has a layer several times: it is scanned once, and what is said of it the other times has to be the same.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildImageIndex } from '../../src/build/build-image-index.js';
import { ClipError, type ErrorCode } from '../../src/errors.js';
import { startTestRegistry } from '../support/registry.js';
import { sha256 } from '../support/registry-store.js';
import { member, tar } from '../support/tar-builder.js';
import { machine } from '../support/travel.js';

const TAR = tar(member({ name: 'a' }, 'content'));
const OTHER = `sha256:${'0'.repeat(64)}`;

/** Builds the index of an image that has one layer twice, the second time with these differences. */
async function build(t: TestContext, second: { diffId?: string; longer?: number } = {}) {
  const registry = await startTestRegistry();
  t.after(() => registry.stop());
  const blob = gzipSync(TAR);
  const layer = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: registry.addBlob(blob),
    size: blob.length,
  };
  const { diffId = sha256(TAR), longer = 0 } = second;
  const rootfs = { type: 'layers', diff_ids: [sha256(TAR), diffId] };
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }));
  registry.addManifest('x', 'latest', {
    schemaVersion: 2,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: registry.addBlob(config),
      size: config.length,
    },
    layers: [layer, { ...layer, size: layer.size + longer }],
  });
  const { options } = await machine(t);
  const output = join(options.cacheDir, 'i.clip');
  return { output, built: buildImageIndex(`${registry.host}/x:latest`, { ...options, output }) };
}

test('a layer that an image has twice is scanned once', async (t) => {
  const { built } = await build(t);
  assert.deepEqual((await built).layerOrigins, { scanned: 1, local: 0, registry: 0 });
});

const WRONG: [what: string, second: { diffId?: string; longer?: number }, code: ErrorCode, names: RegExp][] =
  [
    [
      'diffID',
      { diffId: OTHER },
      'DIGEST_MISMATCH',
      /diffID sha256:(?!0{64})[0-9a-f]{64} and with sha256:0{64}$/,
    ],
    ['size', { longer: 1 }, 'CORRUPT_IMAGE', /with ([0-9]+) bytes and with (?!\1$)[0-9]+$/],
  ];

for (const [what, second, code, names] of WRONG) {
  test(`one whose second ${what} is another leaves no index`, async (t) => {
    const { output, built } = await build(t, second);
    await assert.rejects(built, (error: unknown) => {
      assert.ok(error instanceof ClipError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, names);
      return true;
    });
    assert.ok(!existsSync(output));
  });
}
