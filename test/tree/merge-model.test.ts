import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { comparePaths } from '../../src/tree/entry.js';
import { type EntryParts, layerOf } from '../support/entries.js';
import { merged } from '../support/merged.js';
import { naiveMerge } from '../support/naive-merge.js';

// Few names, so that entries meet: replaced types, whiteouts of what is there, links to what is not, loops.
const plainName = fc.constantFrom('a', 'b', 'c', 'a-', 'a.');
const anyName = fc.oneof(
  { weight: 12, arbitrary: plainName },
  { weight: 1, arbitrary: fc.constantFrom('.wh.', '.wh..', '.wh..wh.plnk', '.wh.a') },
);
const lastName = fc.oneof(
  { weight: 6, arbitrary: plainName },
  { weight: 2, arbitrary: plainName.map((name) => `.wh.${name}`) },
  { weight: 1, arbitrary: fc.constant('.wh..wh..opq') },
  { weight: 1, arbitrary: anyName },
);
const path = fc
  .tuple(fc.array(anyName, { maxLength: 3 }), lastName)
  .map(([parents, last]) => [...parents, last].join('/'));
const symlinkTarget = fc
  .tuple(
    fc.constantFrom('', '/', '../', './'),
    fc.array(fc.oneof(plainName, fc.constantFrom('..', '.', '')), { maxLength: 3 }),
  )
  .map(([start, parts]) => start + parts.join('/'));
const entry: fc.Arbitrary<EntryParts> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ path, type: fc.constant('file' as const) }) },
  { weight: 4, arbitrary: fc.record({ path, type: fc.constant('directory' as const) }) },
  { weight: 3, arbitrary: fc.record({ path, type: fc.constant('symlink' as const), link: symlinkTarget }) },
  { weight: 3, arbitrary: fc.record({ path, type: fc.constant('hardlink' as const), link: path }) },
  {
    weight: 1,
    arbitrary: fc.record({
      path: fc.oneof(path, fc.constant('')),
      type: fc.constantFrom('fifo' as const, 'directory' as const),
    }),
  },
);
const layers = fc.array(fc.array(entry, { maxLength: 14 }), { minLength: 1, maxLength: 4 });

test('mergeLayers equals a naive unpacker on random layers', () => {
  fc.assert(
    fc.property(layers, (parts) => {
      const image = parts.map(layerOf);
      const nodes = merged(image);
      assert.deepEqual(nodes, naiveMerge(image));
      for (let i = 1; i < nodes.length; i++) assert.ok(comparePaths(nodes[i - 1]!.path, nodes[i]!.path) < 0);
    }),
    { numRuns: Number(process.env.MERGE_RUNS ?? 4000) },
  );
});

test('a link that appears where a way turned back leads the next entry of the same parent', () => {
  const image = [
    layerOf([
      { path: 'a', type: 'symlink', link: 'c/..' },
      { path: 'a/c', type: 'symlink', link: 'a' },
      { path: 'a/a', type: 'file' },
    ]),
  ];
  assert.deepEqual(merged(image), naiveMerge(image));
});
