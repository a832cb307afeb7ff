import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packed } from '../support/packed.js';

test('packed extents are read as a list of them is', () => {
  const list = [
    { logical: 0, offset: 512, length: 5 },
    { logical: 9, offset: 517, length: 1 },
    { logical: 2 ** 52, offset: 2 ** 50, length: 7 },
  ];
  const extents = packed(list);
  assert.deepEqual([...extents], list);
  assert.equal(extents.length, 3);
  assert.equal(extents.stored, 13);
  for (let i = -5; i < 5; i++) assert.deepEqual(extents.at(i), list.at(i), `${i}`);
  assert.equal(packed([]).at(-1), undefined);
});
