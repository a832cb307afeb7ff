import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, bytesToByteString, textToByteString } from '../src/bytes.js';
import { candidatesOf, escapeName, escapeText, unescapeName } from '../src/escape.js';

const b = (bytes: string) => bytes as ByteString;

test('escapeName keeps printable text and escapes what can fool a reader', () => {
  const cases: [ByteString, string][] = [
    [b('usr/bin/env'), 'usr/bin/env'],
    [b(''), ''],
    [textToByteString('žluťoučký kůň 🐎'), 'žluťoučký kůň 🐎'],
    [b('a\nb\tc\\d'), 'a\\nb\\tc\\\\d'],
    [b('\x1b[31mred\x00\x7f'), '\\x1b[31mred\\x00\\x7f'],
    [b('\xff\xfe'), '\\xff\\xfe'],
    [b('caf\xe9'), 'caf\\xe9'],
    [textToByteString('\u0085'), '\\xc2\\x85'],
    [textToByteString('exe.\u202egpj'), 'exe.\\xe2\\x80\\xaegpj'],
    [textToByteString('a\u200bb'), 'a\\xe2\\x80\\x8bb'],
    [textToByteString('a\u2028b'), 'a\\xe2\\x80\\xa8b'],
    [textToByteString('a\u00a0b'), 'a\\xc2\\xa0b'],
    [textToByteString('\u{e0041}'), '\\xf3\\xa0\\x81\\x81'],
    [b('\xc0\xaf'), '\\xc0\\xaf'],
    [b('\xed\xa0\x80'), '\\xed\\xa0\\x80'],
    [b('\xf4\x90\x80\x80'), '\\xf4\\x90\\x80\\x80'],
    [b('\xe2\x82'), '\\xe2\\x82'],
    [textToByteString('\ufffd'), '\ufffd'],
  ];
  for (const [name, text] of cases) assert.equal(escapeName(name), text);
});

test('unescapeName is the inverse of escapeName for all bytes, and the text is printable', () => {
  const tricky = fc.constantFrom('\\', '\\x', 'n', '\n', '\u202e', '\u{1f40e}', '\xe2\x80', 'é', '\x9b');
  const names = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map(bytesToByteString),
    fc.array(tricky, { maxLength: 12 }).map((parts) => textToByteString(parts.join(''))),
    fc.array(tricky, { maxLength: 12 }).map((parts) => b(parts.join('').replace(/[^\x00-\xff]/g, '\xff'))),
  );
  fc.assert(
    fc.property(names, (name) => {
      const text = escapeName(name);
      assert.equal(unescapeName(text), name);
      assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      assert.equal(candidatesOf(text)[0], name);
    }),
    { numRuns: 3000 },
  );
});

test('unescapeName refuses a backslash that begins no escape', () => {
  for (const text of ['\\', 'a\\', '\\q', '\\x', '\\x1', '\\xgg', '\\X41', '\\u0041', 'ok\\n\\']) {
    assert.equal(unescapeName(text), undefined, text);
  }
  assert.equal(unescapeName('\\x41\\xFf'), 'A\xff');
});

test('candidatesOf tries the unescaped name first, then the literal one', () => {
  assert.deepEqual(candidatesOf('etc/passwd'), ['etc/passwd']);
  assert.deepEqual(candidatesOf('system-a\\x2db.slice'), ['system-a-b.slice', 'system-a\\x2db.slice']);
  assert.deepEqual(candidatesOf('C:\\dir'), ['C:\\dir']);
  assert.deepEqual(candidatesOf('ž'), ['\xc5\xbe']);
});

test('escapeText makes any text printable and keeps backslashes single', () => {
  assert.equal(escapeText('plain \\ text'), 'plain \\ text');
  assert.equal(escapeText('a\r\nb\u001b[2J'), 'a\\x0d\\nb\\x1b[2J');
  assert.equal(escapeText('ů \u202e'), 'ů \\xe2\\x80\\xae');
  assert.equal(escapeText('\ud800'), '\ufffd');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(escapeText(text), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
    }),
  );
});
