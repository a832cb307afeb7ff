import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type EntryParts, layerOf } from '../support/entries.js';
import { merged } from '../support/merged.js';
import { compareWithUmoci, hasUmoci } from '../support/umoci.js';

const name = fc.constantFrom('a', 'b', 'c', 'a.');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const marker = fc
  .tuple(fc.array(name, { maxLength: 2 }), fc.constantFrom('.wh.a', '.wh.b', '.wh.c', '.wh..wh..opq'))
  .map(([parents, last]): EntryParts => ({ path: [...parents, last].join('/'), type: 'file' }));
const target = fc.tuple(fc.constantFrom('', '/', '../'), path).map(([start, rest]) => start + rest);
const entry: fc.Arbitrary<EntryParts> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ path, type: fc.constant('file' as const) }) },
  { weight: 5, arbitrary: fc.record({ path, type: fc.constant('directory' as const) }) },
  { weight: 2, arbitrary: fc.record({ path, type: fc.constant('symlink' as const), link: target }) },
  { weight: 1, arbitrary: fc.record({ path, type: fc.constant('hardlink' as const), link: path }) },
  { weight: 1, arbitrary: fc.record({ path, type: fc.constant('fifo' as const) }) },
);
// Markers come first: behind a child they leave attributes of the hidden directory in umoci and not in clip
// (docs/conformance.md).
const layer = fc.tuple(fc.array(marker, { maxLength: 3 }), fc.array(entry, { maxLength: 7 }));
const image = fc.array(layer, { minLength: 1, maxLength: 3 }).map((layers) =>
  layers.map(([markers, entries], number) =>
    layerOf(
      [{ path: '', type: 'directory' as const }, ...markers, ...entries].map((parts, i) => ({
        ...parts,
        mode: 0o700 + i + number * 8,
        mtime: 1_000_000_000 + number * 1000 + i,
      })),
    ),
  ),
);

test('mergeLayers equals umoci on random layers that umoci accepts', (t) => {
  if (!hasUmoci()) return t.skip('needs umoci and root');
  let accepted = 0;
  fc.assert(
    fc.property(image, (layers) => {
      const result = compareWithUmoci(layers, merged(layers));
      if ('refused' in result) return;
      accepted++;
      assert.deepEqual(result.clip, result.umoci);
    }),
    { numRuns: Number(process.env.UMOCI_RUNS ?? 60), endOnFailure: !process.env.UMOCI_SHRINK },
  );
  t.diagnostic(`${accepted} images accepted by umoci`);
  assert.ok(accepted > 0);
});
