import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, bytesToByteString, textToByteString } from '../../src/bytes.js';
import { escapeName } from '../../src/escape.js';
import { isGlob, matchGlob, parseGlob } from '../../src/tree/glob.js';

function matches(pattern: string, path: ByteString): boolean {
  return parseGlob(pattern).some((glob) => {
    if (glob.base === '') return matchGlob(glob, path);
    if (path !== glob.base && !path.startsWith(`${glob.base}/`)) return false;
    return matchGlob(glob, path.slice(glob.base.length + 1) as ByteString);
  });
}

test('globs match whole paths', () => {
  const cases: [pattern: string, yes: string[], no: string[]][] = [
    ['*', ['a', '.hidden', 'ž', 'a\nb'], ['', 'a/b']],
    ['etc/*', ['etc/passwd', 'etc/.pwd'], ['etc', 'etc/a/b', 'xetc/a']],
    ['/etc//./p*d', ['etc/passwd', 'etc/pd'], ['etc/passwdx', 'etc/p/d']],
    ['**', ['', 'a', 'a/b/c'], []],
    ['usr/**', ['usr', 'usr/a', 'usr/a/b'], ['us', 'usrx']],
    ['**/*.so', ['a.so', 'x/y/a.so', '.so'], ['a.so/x', 'a.sox']],
    ['a/**/b/**/c', ['a/b/c', 'a/x/b/y/z/c', 'a/b/b/c'], ['a/c', 'a/b', 'a/b/c/d']],
    ['a**b', ['ab', 'axb'], ['a/b']],
    ['?', ['a', 'ž', '🐎'], ['', 'ab']],
    ['a?c', ['abc', 'ažc', 'a🐎c'], ['ac', 'a/c']],
    ['[a-c]x', ['ax', 'cx'], ['dx', '-x']],
    ['[!a-c]', ['d', 'ž'], ['a', 'b']],
    ['[^a]', ['b'], ['a']],
    ['[]a]', [']', 'a'], ['b']],
    ['[a-]', ['a', '-'], ['b']],
    ['[ž-ž]', ['ž'], ['z']],
    ['a[b', ['a[b'], ['ab']],
    ['[a/b]', ['[a/b]'], ['a', 'b']],
    ['{a,b}/c', ['a/c', 'b/c'], ['c', 'ab/c']],
    ['x{,y,z/{1,2}}', ['x', 'xy', 'xz/1', 'xz/2'], ['xz', 'x1']],
    ['{a}', ['{a}'], ['a']],
    ['{a,b', ['{a,b'], ['a']],
    ['{{a,b}}', ['{a}', '{b}'], ['a']],
    ['\\*', ['*'], ['a']],
    ['a\\[1\\]*', ['a[1]', 'a[1]x'], ['a1']],
    ['\\{a,b\\}', ['{a,b}'], ['a']],
    ['a\\n*', ['a\nb'], ['anb']],
    ['\\x2a?', ['*a'], ['aa']],
    ['\\xc5\\xbe*', ['žx'], ['x']],
  ];
  for (const [pattern, yes, no] of cases) {
    for (const path of yes) assert.ok(matches(pattern, textToByteString(path)), `${pattern} matches ${path}`);
    for (const path of no)
      assert.ok(!matches(pattern, textToByteString(path)), `${pattern} does not match ${path}`);
  }
});

test('globs match names that are not UTF-8 byte by byte', () => {
  const name = 'caf\xe9\xff' as ByteString;
  for (const pattern of ['*', 'caf??', 'caf\\xe9*', 'caf[!a]?', 'c*\\xff'])
    assert.ok(matches(pattern, name), pattern);
  for (const pattern of ['caf?', 'café*', 'caf\\xe8*']) assert.ok(!matches(pattern, name), pattern);
});

test('isGlob sees only wildcards that are not escaped', () => {
  for (const text of ['*', 'a?b', '[a]', '{a,b}', '\\\\*']) assert.ok(isGlob(text), text);
  for (const text of ['a', '\\*', 'a\\?b', '\\[a]', 'a\\x2ab']) assert.ok(!isGlob(text), text);
});

test('a glob agrees with a regular expression', () => {
  const part = fc.constantFrom('a', 'b', '*', '?', '[ab]', '[!a]', '/', '**', '/**/');
  const pattern = fc.array(part, { maxLength: 7 }).map((parts) => parts.join(''));
  const path = fc
    .array(fc.string({ unit: fc.constantFrom('a', 'b', '.'), minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((parts) => parts.join('/') as ByteString);
  fc.assert(
    fc.property(pattern, path, (glob, name) => {
      assert.equal(matches(glob, name), toRegExp(glob).test(`/${name}`), `${glob} on ${name}`);
    }),
    { numRuns: 5000 },
  );
});

function toRegExp(pattern: string): RegExp {
  const segments = pattern.split('/').filter((segment) => segment !== '');
  const parts = segments.map((segment) => {
    if (segment === '**') return '(/[^/]+)*';
    return `/${segment.replace(/\*+/g, '[^/]*').replace(/\?/g, '[^/]').replaceAll('[!', '[^/')}`;
  });
  return new RegExp(`^${segments.length === 0 ? '/' : parts.join('')}$`);
}

test('the escaped form of any name, wildcards escaped too, matches that name alone', () => {
  const names = fc
    .uint8Array({ minLength: 1, maxLength: 12 })
    .map((bytes) => bytesToByteString(bytes.filter((byte) => byte !== 0x2f)));
  fc.assert(
    fc.property(names, names, (name, other) => {
      fc.pre(name !== '' && name !== '.' && other !== '');
      const pattern = `{${escapeName(name).replace(/[*?[\]{},]/g, '\\$&')},zz}*`;
      assert.ok(matches(pattern, name));
      assert.equal(matches(pattern, other), other.startsWith(name) || other.startsWith('zz'));
    }),
  );
});

test('hostile names and patterns cost little', () => {
  const started = performance.now();
  assert.ok(!matches(`${'*a*b'.repeat(20)}c`, 'ab'.repeat(4000) as ByteString));
  assert.ok(!matches(`${'**/a/'.repeat(100)}c`, 'a/'.repeat(4000).slice(0, -1) as ByteString));
  assert.ok(performance.now() - started < 2000);
  assert.throws(() => parseGlob('{a,b}'.repeat(11)), { code: 'USAGE' });
  assert.throws(() => parseGlob('a'.repeat(5000)), { code: 'USAGE' });
  assert.equal(parseGlob('{'.repeat(4000)).length, 1);
});
