import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeLayers } from '../../src/tree/merge.js';
import { layerOf } from '../support/entries.js';
import { merged } from '../support/merged.js';

test('a merge pauses every few hundred entries, and gives the same', () => {
  const layer = layerOf(Array.from({ length: 2000 }, (_, i) => ({ path: `d/f${i}` })));
  const steps = mergeLayers([layer, layer]);
  let pauses = 0;
  for (;;) {
    const { done, value } = steps.next();
    if (done) {
      assert.deepEqual([...value], merged([layer, layer]));
      break;
    }
    pauses++;
  }
  assert.ok(pauses >= 10, `${pauses} pauses`);
});
