import assert from 'node:assert/strict';
import { chmodSync, openSync, readFileSync, rmdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { defaultCacheDir } from '../../src/build/default-options.js';
import { bytesToByteString, textToByteString } from '../../src/bytes.js';
import { describeError, statusOf } from '../../src/cli/output/errors.js';
import { isoTime, modeDigits, modeString, shownPath } from '../../src/cli/output/format.js';
import { infoToJson } from '../../src/cli/output/info-json.js';
import { createLongFormat } from '../../src/cli/output/long.js';
import { nodeToJson } from '../../src/cli/output/node-json.js';
import { createStdout } from '../../src/cli/output/stdout.js';
import { table } from '../../src/cli/output/table.js';
import { ClipError } from '../../src/errors.js';
import type { Entry } from '../../src/tree/entry.js';
import type { Node } from '../../src/tree/node.js';
import { tempDir } from '../support/run-clip.js';

const none = textToByteString('');

function node(path: string, fields: Partial<Entry> = {}): Node {
  const name = textToByteString(path);
  const entry: Entry = {
    path: name,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: none,
    gname: none,
    mtime: 0,
    mtimeNanos: 0,
    size: 0,
    link: none,
    devMajor: 0,
    devMinor: 0,
    xattrs: [],
    position: 512,
    ...fields,
  };
  return { path: name, entry, layer: 0, nlink: 1, inode: '1' };
}

test('modes as ls writes them', () => {
  const modes: [Entry['type'], number, string][] = [
    ['file', 0o644, '-rw-r--r--'],
    ['file', 0o4755, '-rwsr-xr-x'],
    ['file', 0o4644, '-rwSr--r--'],
    ['file', 0o2755, '-rwxr-sr-x'],
    ['file', 0o2745, '-rwxr-Sr-x'],
    ['directory', 0o1777, 'drwxrwxrwt'],
    ['directory', 0o1776, 'drwxrwxrwT'],
    ['symlink', 0o777, 'lrwxrwxrwx'],
    ['char', 0o620, 'crw--w----'],
    ['block', 0, 'b---------'],
    ['fifo', 0o600, 'prw-------'],
  ];
  for (const [type, mode, text] of modes) assert.equal(modeString(type, mode), text);
  assert.equal(modeDigits(0o4755), '4755');
  assert.equal(modeDigits(0), '0000');
});

test('times to the nanosecond, before 1970 and beyond four-digit years', () => {
  assert.equal(isoTime(0, 1, 9), '1970-01-01T00:00:00.000000001Z');
  assert.equal(isoTime(-1, 500_000_000, 9), '1969-12-31T23:59:59.500000000Z');
  assert.equal(isoTime(1_700_000_000, 0, 0), '2023-11-14T22:13:20Z');
  assert.equal(isoTime(253_402_300_800, 5, 9), '@253402300800.000000005');
  assert.equal(isoTime(2 ** 53 - 1, 0, 0), '@9007199254740991');
  assert.equal(isoTime(-(2 ** 53 - 1), 0, 0), '@-9007199254740991');
});

test('long lines align, show devices, links and escaped names', () => {
  const format = createLongFormat();
  const rows = [
    node('a', { size: 12345, uid: 1000, gid: 10, uname: textToByteString('ann') }),
    node('tty', { type: 'char', mode: 0o620, devMajor: 5, devMinor: 1 }),
    node('l', { type: 'symlink', mode: 0o777, link: textToByteString('a\nb') }),
  ].map((each) => ({ node: each, name: shownPath(each.path).slice(1) }));
  assert.equal(
    format.lines(rows),
    [
      '-rw-r--r-- 1 ann 10 12345 1970-01-01T00:00:00Z a\n',
      'crw--w---- 1 0   0   5, 1 1970-01-01T00:00:00Z tty\n',
      'lrwxrwxrwx 1 0   0      3 1970-01-01T00:00:00Z l -> a\\nb\n',
    ].join(''),
  );
});

test('JSON of a node: names escaped, xattrs in base64, even one named __proto__', () => {
  const value = bytesToByteString(Uint8Array.of(1, 0, 255));
  const json = nodeToJson(
    node('a\x1b', { xattrs: [[textToByteString('__proto__'), value]], mtime: -1, mtimeNanos: 7 }),
    [],
  );
  const back = JSON.parse(JSON.stringify(json));
  assert.equal(back.path, '/a\\x1b');
  assert.equal(back.mode, '0644');
  assert.equal(back.mtime, '1969-12-31T23:59:59.000000007Z');
  assert.equal(back.layer, null);
  assert.deepEqual(Object.entries(back.xattrs), [['__proto__', 'AQD/']]);
});

test('tables have no trailing blanks and count code points', () => {
  const columns = [
    { title: 'NAME', align: 'left' },
    { title: 'N', align: 'right' },
    { title: 'LAST', align: 'left' },
  ] as const;
  assert.equal(
    table(columns, [
      ['é😀', '10', 'x'],
      ['long name', '2', ''],
    ]),
    'NAME        N  LAST\né😀         10  x\nlong name   2\n',
  );
});

test('errors: message, code, hint; escapes; bugs are called bugs; stacks only when asked for', () => {
  const error = new ClipError('PATH_NOT_FOUND', 'no \x1b[31m', {
    hint: 'look\nagain',
    cause: new Error('deep'),
  });
  assert.equal(describeError(error), 'clip: no \\x1b[31m (PATH_NOT_FOUND)\nhint: look\\nagain\n');
  assert.equal(statusOf(error), 3);
  const stack = describeError(error, { stack: true });
  assert.match(stack, /ClipError: no/);
  assert.match(stack, /caused by\n {4}Error: deep/);
  assert.match(
    describeError(new TypeError('x is not a function')),
    /^clip: unexpected error: .* \(FAILED\)\nhint: this is a bug/,
  );
  assert.equal(statusOf('text'), 1);
});

test('stdout keeps the order of prints and writes, and large texts whole', async (t) => {
  const path = join(await tempDir(t), 'out');
  const out = createStdout(openSync(path, 'w'));
  const large = 'x'.repeat(200_000);
  out.print('first\n');
  const both = [out.write(Buffer.from('second\n')), out.write(Buffer.from('third\n'))];
  await Promise.all(both);
  await out.print(large);
  out.print('last');
  await out.flush();
  assert.ok(readFileSync(path, 'utf8') === `first\nsecond\nthird\n${large}last`);
});

test('the cache lives in the XDG cache home, which has to be absolute', () => {
  assert.equal(defaultCacheDir({ XDG_CACHE_HOME: '/x/cache', HOME: '/h' }), '/x/cache/clip');
  assert.equal(defaultCacheDir({ XDG_CACHE_HOME: 'relative', HOME: '/h' }), '/h/.cache/clip');
  assert.equal(defaultCacheDir({ HOME: '/h' }), '/h/.cache/clip');
});

test('without a home the cache lies in the folder for temporary files, and only where nobody else can have put indexes', async (t) => {
  const folder = await tempDir(t);
  const taken = defaultCacheDir({ TMPDIR: folder });
  assert.ok(taken.startsWith(join(folder, 'clip-cache-')));
  assert.equal(statSync(taken).mode & 0o777, 0o700);
  assert.equal(defaultCacheDir({ TMPDIR: folder }), taken);
  const refused = (error: unknown) =>
    error instanceof ClipError && error.code === 'IO' && /--cache-dir/.test(error.hint ?? '');
  chmodSync(taken, 0o777);
  assert.throws(() => defaultCacheDir({ TMPDIR: folder }), refused);
  rmdirSync(taken);
  symlinkSync(folder, taken);
  assert.throws(() => defaultCacheDir({ TMPDIR: folder }), refused);
});

test('what an image says of itself reaches no terminal as it is', async () => {
  const evil = 'a\x9b31m\u202e';
  const index = {
    layers: [{ encoding: 'gzip', mediaType: evil }],
    sourceHint: evil,
    describe: async () => ({
      manifest: Buffer.from('{}'),
      manifestMediaType: evil,
      platform: evil,
      config: Buffer.from(JSON.stringify({ created: evil })),
    }),
  };
  const image = { index } as unknown as Parameters<typeof infoToJson>[1];
  const info = await infoToJson('x', image, new AbortController().signal);
  const { source, mediaType, platform, created } = info.image;
  for (const text of [source, mediaType, platform, created, info.layers[0]!.mediaType]) {
    assert.equal(text, 'a\\xc2\\x9b31m\\xe2\\x80\\xae');
  }
});

test('counting the frames of a layer hears Ctrl-C', async () => {
  const span = { offset: 0, length: 10, skip: 0 };
  const index = {
    layers: [{ encoding: 'zstd', size: 10, uncompressedSize: 20 }],
    describe: async () => ({ manifest: Buffer.from('{}'), config: Buffer.from('{}') }),
    spans: async (_: number, offset: number) => [{ ...span, offset }],
  };
  const image = { index } as unknown as Parameters<typeof infoToJson>[1];
  const { layers } = await infoToJson('x', image, new AbortController().signal);
  assert.equal(layers[0]!.checkpoints, 2);
  const reason = new Error('stopped');
  await assert.rejects(infoToJson('x', image, AbortSignal.abort(reason)), reason);
});
