import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../src/bytes.js';
import { isClipError } from '../../src/errors.js';
import type { Node, TreeLookup } from '../../src/tree/node.js';
import { resolvePath } from '../../src/tree/resolve.js';
import { entryFrom, layerOf } from '../support/entries.js';
import { merged } from '../support/merged.js';

interface CountingTree extends TreeLookup {
  lookups: number;
}

function treeOf(lines: readonly string[]): CountingTree {
  const layer = layerOf(['/', ...lines].map(entryFrom));
  const nodes = new Map<string, Node>();
  for (const { path, ref, target, nlink } of merged([layer])) {
    const entry = layer[(target ?? ref)?.entry ?? -1] ?? layerOf([{ path, type: 'directory' }])[0]!;
    nodes.set(path, { path, entry, layer: 0, nlink, inode: path });
  }
  return {
    lookups: 0,
    lookup(path) {
      this.lookups++;
      return Promise.resolve(nodes.get(path));
    },
  };
}

const LINES = [
  'etc/',
  'etc/passwd',
  'etc/self -> ../etc',
  'usr/',
  'usr/bin/',
  'usr/bin/env',
  'usr/bin/up -> ..',
  'bin -> usr/bin',
  'abs -> /usr/bin',
  'above -> ../../../../etc/passwd',
  'deep -> abs/up/bin/./env',
  'slashed -> usr/bin/',
  'to-file -> etc/passwd',
  'file-slash -> etc/passwd/',
  'dangling -> usr/nothing/here',
  'half -> to-nothing/x',
  'to-nothing -> nothing',
  'below-file -> etc/passwd/x',
  'loop -> pool',
  'pool -> loop',
  'me -> me',
  'empty -> ',
];

const at = (path: string, followLast = true) =>
  resolvePath(treeOf(LINES), path as ByteString, { followLast });

test('resolvePath finds what POSIX would find inside the root', async () => {
  const cases: [string, string][] = [
    ['', ''],
    ['/', ''],
    ['//.//', ''],
    ['..', ''],
    ['/../..', ''],
    ['etc/passwd', 'etc/passwd'],
    ['//etc/./passwd', 'etc/passwd'],
    ['usr/../etc/passwd', 'etc/passwd'],
    ['../../etc/passwd', 'etc/passwd'],
    ['etc/', 'etc'],
    ['bin/env', 'usr/bin/env'],
    ['bin', 'usr/bin'],
    ['bin/', 'usr/bin'],
    ['abs/env', 'usr/bin/env'],
    ['slashed', 'usr/bin'],
    ['slashed/env', 'usr/bin/env'],
    // After a link, `..` is the parent of where the link led.
    ['bin/..', 'usr'],
    ['bin/../../etc/passwd', 'etc/passwd'],
    ['abs/up', 'usr'],
    ['abs/up/bin/env', 'usr/bin/env'],
    ['deep', 'usr/bin/env'],
    ['above', 'etc/passwd'],
    ['etc/self/self/self/passwd', 'etc/passwd'],
    ['to-file', 'etc/passwd'],
  ];
  for (const [path, real] of cases) assert.equal((await at(path)).path, real, path);
});

test('resolvePath leaves a last link alone unless asked or a slash follows', async () => {
  assert.equal((await at('bin', false)).path, 'bin');
  assert.equal((await at('me', false)).path, 'me');
  assert.equal((await at('dangling', false)).path, 'dangling');
  assert.equal((await at('abs/up', false)).path, 'usr/bin/up');
  assert.equal((await at('bin/', false)).path, 'usr/bin');
  assert.equal((await at('bin/.', false)).path, 'usr/bin');
});

test('resolvePath says what is missing', async () => {
  const cases: [string, string, RegExp][] = [
    [
      'usr/lib/x/y',
      'PATH_NOT_FOUND',
      /^\/usr\/lib\/x\/y does not exist in the image; the nearest existing parent is \/usr$/,
    ],
    ['nope', 'PATH_NOT_FOUND', /nearest existing parent is \/$/],
    ['bin/nope', 'PATH_NOT_FOUND', /^\/bin\/nope .* parent is \/usr\/bin$/],
    ['usr/lib/../bin', 'PATH_NOT_FOUND', /parent is \/usr$/],
    ['etc/passwd/x', 'PATH_NOT_FOUND', /\/etc\/passwd is not a directory$/],
    ['etc/passwd/', 'PATH_NOT_FOUND', /\/etc\/passwd is not a directory$/],
    ['etc/passwd/..', 'PATH_NOT_FOUND', /\/etc\/passwd is not a directory$/],
    ['to-file/x', 'PATH_NOT_FOUND', /\/etc\/passwd is not a directory$/],
    [
      'file-slash',
      'DANGLING_LINK',
      /^\/file-slash is a link to etc\/passwd\/,.*\/etc\/passwd is not a directory$/,
    ],
    ['dangling', 'DANGLING_LINK', /^\/dangling is a link to usr\/nothing\/here, which .* parent is \/usr$/],
    ['dangling/x', 'DANGLING_LINK', /^\/dangling\/x: \/dangling is a link to usr\/nothing\/here,/],
    ['half', 'DANGLING_LINK', /^\/half: \/to-nothing is a link to nothing,/],
    ['below-file', 'DANGLING_LINK', /\/below-file is a link to etc\/passwd\/x/],
    ['empty', 'DANGLING_LINK', /\/empty is a link to ""/],
    ['loop', 'LINK_LOOP', /^\/loop goes through more than 40 links; the last was \/\w+ -> \w+$/],
    ['me/x', 'LINK_LOOP', /more than 40 links/],
    ['a\x1b[31m', 'PATH_NOT_FOUND', /^\/a\\x1b\[31m does not exist/],
  ];
  for (const [path, code, message] of cases) {
    await assert.rejects(at(path), (error) => {
      assert.ok(isClipError(error), String(error));
      assert.deepEqual([path, error.code, error.exitStatus], [path, code, 3]);
      assert.match(error.message, message);
      assert.ok(error.hint);
      return true;
    });
  }
});

test('resolvePath follows 40 links and no more', async () => {
  const chain = Array.from({ length: 41 }, (_, i) => `l${i} -> l${i + 1}`);
  const tree = treeOf([...chain, 'l41']);
  assert.equal((await resolvePath(tree, 'l1' as ByteString, { followLast: true })).path, 'l41');
  await assert.rejects(resolvePath(tree, 'l0' as ByteString, { followLast: true }), { code: 'LINK_LOOP' });
});

test('resolvePath needs one lookup for a path that exists, and few for any other', async () => {
  const deep = Array.from({ length: 16 }, (_, i) => `d${i}`).join('/');
  const count = async (path: string) => {
    const tree = treeOf([...LINES, `${deep}/file`, `link -> ${deep}`]);
    await resolvePath(tree, path as ByteString, { followLast: true }).catch(() => undefined);
    return tree.lookups;
  };
  assert.equal(await count(`${deep}/file`), 1);
  assert.equal(await count('usr/bin/../bin/./env'), 2);
  assert.ok((await count('link/file')) <= 4);
  assert.ok((await count(`${deep}/x/y/z`)) <= 7);
});

test('resolvePath ends on paths and links of any length', async () => {
  const long = 'a/'.repeat(1_000_000) as ByteString;
  await assert.rejects(resolvePath(treeOf([]), long, { followLast: true }), { code: 'LIMIT' });
  const many = 'etc/../'.repeat(9000) as ByteString;
  assert.equal((await resolvePath(treeOf(LINES), many, { followLast: true })).path, '');
  const tree = treeOf([`w -> ${'w/'.repeat(2000)}`]);
  await assert.rejects(resolvePath(tree, 'w' as ByteString, { followLast: true }), {
    code: /LINK_LOOP|LIMIT/,
  });
});

test('resolvePath agrees with a walk component by component', async () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const part = fc.oneof(
    { weight: 5, arbitrary: name },
    { weight: 2, arbitrary: fc.constantFrom('..', '.', '') },
  );
  const anyPath = fc
    .tuple(fc.boolean(), fc.array(part, { maxLength: 5 }))
    .map(([absolute, parts]) => (absolute ? '/' : '') + parts.join('/'));
  const plain = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
  const line = fc.oneof(
    plain.map((path) => `${path}/`),
    plain,
    fc.tuple(plain, anyPath).map(([path, target]) => `${path} -> ${target}`),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 10 }),
      anyPath,
      fc.boolean(),
      async (lines, path, followLast) => {
        const tree = treeOf(lines);
        const expected = await slowResolve(tree, path, followLast);
        const got = await resolvePath(tree, path as ByteString, { followLast }).then(
          (node) => node.path as string,
          (error) => {
            assert.ok(isClipError(error), String(error));
            return error.code === 'LINK_LOOP' ? 'loop' : 'missing';
          },
        );
        assert.equal(got, expected);
      },
    ),
    { numRuns: 3000 },
  );
});

/** Linux's algorithm, one lookup a component. Returns the path, or why there is none. */
async function slowResolve(tree: TreeLookup, path: string, followLast: boolean): Promise<string> {
  let at = '';
  let links = 0;
  const todo = path.split('/');
  while (todo.length > 0) {
    const part = todo.shift()!;
    const node = (await tree.lookup(at as ByteString))!;
    const isLast = todo.length === 0;
    if (node.entry.type !== 'directory') return 'missing';
    if (part === '' || part === '.') continue;
    if (part === '..') {
      at = at.slice(0, Math.max(at.lastIndexOf('/'), 0));
      continue;
    }
    const next = at === '' ? part : `${at}/${part}`;
    const child = await tree.lookup(next as ByteString);
    if (!child) return 'missing';
    if (child.entry.type === 'symlink' && (!isLast || followLast)) {
      if (++links > 40) return 'loop';
      if (child.entry.link === '') return 'missing';
      if (child.entry.link.startsWith('/')) at = '';
      todo.unshift(...child.entry.link.split('/'));
    } else {
      at = next;
    }
  }
  return at;
}
