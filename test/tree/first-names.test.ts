import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ByteString } from '../../src/bytes.js';
import { FirstNames } from '../../src/tree/first-names.js';

const name = (path: string, inode: string, nlink = 2) => ({ path: path as ByteString, inode, nlink });

test('the first name of an inode is told for all of them, as often as it is asked', () => {
  const firsts = new FirstNames();
  for (let pass = 0; pass < 2; pass++) {
    assert.equal(firsts.of(name('a', 'x')), 'a');
    assert.equal(firsts.of(name('b', 'x')), 'a');
    assert.equal(firsts.of(name('c', 'y')), 'c');
    assert.equal(firsts.of(name('d', 'x', 1)), 'd');
  }
});

test('more inodes with several names than any image has are LIMIT', () => {
  const firsts = new FirstNames();
  for (let i = 0; i < 1_000_000; i++) firsts.of(name('a', `${i}`));
  assert.equal(firsts.of(name('b', '999999')), 'a');
  assert.throws(() => firsts.of(name('a', 'one more')), { code: 'LIMIT' });
});

test('and so are names that are too long together', () => {
  const firsts = new FirstNames();
  const long = 'n'.repeat(1 << 20);
  for (let i = 0; i < 128; i++) firsts.of(name(long, `${i}`));
  assert.throws(() => firsts.of(name('a', 'one more')), { code: 'LIMIT' });
});
