import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import type { ByteString } from '../../src/bytes.js';
import { bufferSource } from '../../src/format/buffer-source.js';
import { encodeImage } from '../../src/format/image-encoder.js';
import { createLayerEncoder } from '../../src/format/layer-encoder.js';
import { openIndex } from '../../src/format/open-index.js';
import { comparePaths, type Entry } from '../../src/tree/entry.js';
import { exampleIndex, hexDump } from '../support/example-index.js';

test('the worked example of docs/format.md is what the encoder writes', () => {
  const document = readFileSync(new URL('../../../docs/format.md', import.meta.url), 'utf8');
  const [, hex] = /```hex\n([^`]*)\n```/.exec(document) ?? [];
  assert.equal(hex, hexDump(exampleIndex()));
});

/**
 * A change of this digest changes every user's index: stored ones no longer equal new ones. It needs a line in the changelog of
 * docs/format.md. The same value on every Node version and CPU is what the format promises.
 */
const GOLDEN = 'sha256:5fb7a46686da627dbc8488fc621975f4a7efeedac3b34feae521e0032761992b';

test('the same image gives the same identity on every machine', async () => {
  const file = mediumIndex();
  assert.deepEqual(mediumIndex(), file);
  const index = await openIndex(bufferSource(file));
  assert.equal(index.identity, GOLDEN);
});

/** 3000 entries and 600 windows that compress like real ones, from a fixed generator. */
function mediumIndex(): Buffer {
  let state = 7;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const paths = new Set<string>();
  while (paths.size < 3000) paths.add(`d${random(40)}/name-${random(300)}.${'abc'[random(3)]}`);
  const sorted = [...paths].sort(comparePaths);
  let position = 512;
  const entries = sorted.map((path): Entry => {
    const size = random(5000);
    const entry: Entry = {
      path: path as ByteString,
      type: 'file',
      mode: random(2) ? 0o644 : 0o755,
      uid: 0,
      gid: random(3),
      uname: 'root' as ByteString,
      gname: '' as ByteString,
      mtime: 1_600_000_000 + random(50) * 1000,
      mtimeNanos: 0,
      size,
      link: '' as ByteString,
      devMajor: 0,
      devMinor: 0,
      xattrs: random(9) ? [] : [['user.x' as ByteString, `${random(3)}` as ByteString]],
      position,
    };
    position += 512 + Math.ceil(size / 512) * 512;
    return entry;
  });
  const spacing = 131_072;
  const encoder = createLayerEncoder({ spacing });
  const uncompressedSize = Math.max(position, 600 * spacing);
  let index = 0;
  for (let offset = 0; offset < uncompressedSize; index++) {
    const length = Math.min(spacing - random(900), uncompressedSize - offset);
    const window = new Uint8Array(Math.min(offset, 32_768));
    for (let run = 0; run < 30 && window.length > 0; run++) {
      const at = random(window.length);
      window.fill(32 + random(90), at, at + random(12));
    }
    const digest = createHash('sha256').update(`${index}`).digest('hex');
    const place = { byte: index * 40_000, bit: index % 8, end: index * 40_000 + 40_001 };
    encoder.span(
      { index, offset, length, ...place, kind: offset ? 'block' : 'member', skip: 0, digest },
      { window, header: undefined },
    );
    offset += length;
  }
  const digest = `sha256:${'5'.repeat(64)}`;
  const section = encoder.finish({
    entries,
    digest,
    diffId: digest,
    size: index * 40_000 + 9,
    uncompressedSize,
    encoding: 'gzip',
  });
  const root = { path: '' as ByteString, ref: undefined, target: undefined, nlink: 1 };
  return Buffer.concat(
    encodeImage({
      layers: [{ section, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }],
      nodes: [
        root,
        ...entries.map(({ path }, entry) => ({
          path,
          ref: { layer: 0, entry },
          target: undefined,
          nlink: 1,
        })),
      ],
      manifest: Buffer.from('{"layers":[]}'),
      manifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: Buffer.from('{"history":[]}'),
      platform: 'linux/arm64/v8',
      spacing,
      sourceHint: undefined,
    }),
  );
}
