import assert from 'node:assert/strict';
import test from 'node:test';
import { counted, formatSeconds, formatSize, parseDuration, parseSize } from '../../src/cli/units.js';

test('sizes follow GNU coreutils: K and KiB are 1024, kB is 1000', () => {
  const sizes: [string, number][] = [
    ['0', 0],
    ['512', 512],
    ['512B', 512],
    ['1k', 1024],
    ['1K', 1024],
    ['1KiB', 1024],
    ['1kB', 1000],
    ['1kb', 1000],
    ['64M', 64 * 1024 ** 2],
    ['64MiB', 64 * 1024 ** 2],
    ['64 MB', 64_000_000],
    ['1.5G', 1.5 * 1024 ** 3],
    ['2TiB', 2 * 1024 ** 4],
    [' 7 ', 7],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseSize(text), bytes, text);
});

test('what is no size is refused', () => {
  for (const text of [
    '',
    ' ',
    '-1',
    '1e3',
    '0x10',
    'K',
    '1KK',
    '1X',
    '1iB',
    '1.',
    '.5',
    '9999999999T',
    'Infinity',
  ]) {
    assert.equal(parseSize(text), undefined, text);
  }
});

test('a shown size is accepted back', () => {
  for (const bytes of [0, 1, 1023, 1024, 1536, 5 * 1024 ** 2, 3 * 1024 ** 3, 2 ** 50]) {
    const back = parseSize(formatSize(bytes));
    if (bytes < 2 ** 50) assert.equal(back, bytes, formatSize(bytes));
  }
  assert.equal(formatSize(1023.96 * 1024), '1.0 MiB');
});

test('durations: seconds unless a unit is given, never 0, never beyond what a timer takes', () => {
  assert.equal(parseDuration('5'), 5000);
  assert.equal(parseDuration('1.5s'), 1500);
  assert.equal(parseDuration('500ms'), 500);
  assert.equal(parseDuration('2m'), 120_000);
  assert.equal(parseDuration('1h'), 3_600_000);
  for (const text of ['', '0', '0ms', '-1s', '5 minutes', '1d', '600h', 'NaN']) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

test('numbers and nouns', () => {
  assert.equal(counted(1, 'read'), '1 read');
  assert.equal(counted(0, 'entry'), '0 entries');
  assert.equal(counted(2, 'match'), '2 matches');
  assert.equal(formatSeconds(0.0123), '12 ms');
  assert.equal(formatSeconds(4.2), '4.20 s');
  assert.equal(formatSeconds(75.04), '75.0 s');
});
