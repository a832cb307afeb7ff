import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeInSteps, mergeLayers } from '../../src/tree/merge.js';
import { layerOf } from '../support/entries.js';

test('a merge pauses every few hundred entries, and gives the same', () => {
  const layer = layerOf(Array.from({ length: 2000 }, (_, i) => ({ path: `d/f${i}` })));
  const steps = mergeInSteps([layer, layer]);
  let pauses = 0;
  for (;;) {
    const { done, value } = steps.next();
    if (done) {
      assert.deepEqual([...value], [...mergeLayers([layer, layer])]);
      break;
    }
    pauses++;
  }
  assert.ok(pauses >= 10, `${pauses} pauses`);
});
