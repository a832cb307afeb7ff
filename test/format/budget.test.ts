import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import type { ByteString } from '../../src/bytes.js';
import { bufferSource } from '../../src/format/buffer-source.js';
import { encodeImage } from '../../src/format/image-encoder.js';
import { createLayerEncoder } from '../../src/format/layer-encoder.js';
import { openIndex } from '../../src/format/open-index.js';
import { comparePaths, type Entry } from '../../src/tree/entry.js';
import type { MergedNode } from '../../src/tree/merged-node.js';
import { entriesOf } from '../support/file-list.js';

const SPACING = 1 << 26;
const KIB = 1024;

/** An index over the entries as its only layer, and how its bytes divide. */
function indexOf(entries: readonly Entry[], uncompressedSize: number) {
  const encoder = createLayerEncoder({ spacing: SPACING });
  const digest = createHash('sha256').update(`${entries.length}`).digest('hex');
  let index = 0;
  for (let offset = 0; offset < uncompressedSize; index++) {
    const length = Math.min(SPACING, uncompressedSize - offset);
    const place = { byte: offset, bit: 0, end: offset + length, kind: 'raw' as const, skip: 0 };
    encoder.span(
      { index, offset, length, ...place, digest },
      { window: new Uint8Array(0), header: undefined },
    );
    offset += length;
  }
  const section = encoder.finish({
    entries,
    digest: `sha256:${digest}`,
    diffId: `sha256:${digest}`,
    size: uncompressedSize,
    uncompressedSize,
    encoding: 'plain',
  });
  const root: MergedNode = { path: '' as ByteString, ref: undefined, target: undefined, nlink: 1 };
  const nodes = entries.map(
    ({ path }, entry): MergedNode => ({ path, ref: { layer: 0, entry }, target: undefined, nlink: 1 }),
  );
  const file = Buffer.concat(
    encodeImage({
      layers: [{ section, mediaType: 'application/vnd.oci.image.layer.v1.tar' }],
      nodes: [root, ...nodes],
      manifest: Buffer.from('{}'),
      manifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: Buffer.from('{}'),
      platform: 'linux/amd64',
      spacing: SPACING,
      sourceHint: undefined,
    }),
  );
  // A row of the span table: the digest, and a few bytes for the rest.
  return { file, perEntry: (file.length - index * 40) / entries.length };
}

/** Opens the index anew and looks one path up. */
async function lookupCost(file: Buffer, path: ByteString) {
  let reads = 0;
  const source = bufferSource(file);
  const started = performance.now();
  const index = await openIndex({
    ...source,
    read(offset, length) {
      reads++;
      return source.read(offset, length);
    },
  });
  const node = await index.lookup(path);
  assert.equal(node?.path, path);
  return { bytes: index.bytesRead, reads, milliseconds: performance.now() - started };
}

for (const order of ['sorted', 'readdir'] as const) {
  test(`a real file tree costs at most 12 bytes an entry (tar in ${order} order)`, async (t) => {
    const { entries, uncompressedSize } = entriesOf('/usr', { limit: 100_000, order });
    const { file, perEntry } = indexOf(entries, uncompressedSize);
    t.diagnostic(`${entries.length} entries, ${perEntry.toFixed(2)} bytes each`);
    if (entries.length < 1000) return t.skip('needs a /usr with 1000 entries');
    assert.ok(perEntry <= 12, `${perEntry} bytes an entry`);
    const index = await openIndex(bufferSource(file));
    let seen = 0;
    for await (const nodes of index.walk('' as ByteString)) seen += nodes.length;
    assert.equal(seen, entries.length + 1);
  });
}

for (const count of [100_000, 1_000_000]) {
  test(`resolving one path of ${count} reads under 256 KiB`, async (t) => {
    const { entries, uncompressedSize } = manyEntries(count);
    const { file } = indexOf(entries, uncompressedSize);
    let worst = { bytes: 0, reads: 0, milliseconds: 0 };
    for (let i = 0; i < 20; i++) {
      const { path } = entries[Math.floor((i * (count - 1)) / 19)]!;
      const cost = await lookupCost(file, path);
      if (cost.bytes > worst.bytes) worst = cost;
    }
    t.diagnostic(
      `file ${file.length}, at worst ${worst.bytes} bytes in ${worst.reads} reads, ${worst.milliseconds.toFixed(1)} ms`,
    );
    assert.ok(worst.bytes < 256 * KIB, `${worst.bytes} bytes`);
    assert.ok(worst.reads <= 6, `${worst.reads} reads`);
  });
}

/** Names as in a package tree: three levels, sizes and times that do not compress to nothing. */
function manyEntries(count: number): { entries: Entry[]; uncompressedSize: number } {
  const nothing = '' as ByteString;
  const paths: ByteString[] = [];
  for (let i = 0; i < count; i++) {
    const hash = createHash('md5').update(`${i}`).digest('hex');
    paths.push(`opt/app-${i % 97}/module-${i % 1009}/${hash.slice(0, 10)}-${i}.js` as ByteString);
  }
  paths.sort(comparePaths);
  let position = 512;
  const entries = paths.map((path, i): Entry => {
    const size = (Math.imul(i, 2_654_435_761) >>> 17) % 9000;
    const entry: Entry = {
      path,
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      uname: nothing,
      gname: nothing,
      mtime: 1_700_000_000 + ((i >> 5) % 1000),
      mtimeNanos: 0,
      size,
      link: nothing,
      devMajor: 0,
      devMinor: 0,
      xattrs: [],
      position,
    };
    position += 512 + Math.ceil(size / 512) * 512;
    return entry;
  });
  return { entries, uncompressedSize: position + 1024 };
}
