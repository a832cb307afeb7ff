import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePaths } from '../../src/tree/entry.js';
import type { Node } from '../../src/tree/node.js';
import { type SelectOptions, selectNodes, type TreeWalk } from '../../src/tree/select.js';
import { entryFrom, layerOf } from '../support/entries.js';
import { merged } from '../support/merged.js';

const LINES = [
  'a[1]',
  'a1',
  'bin -> usr/bin',
  'etc/',
  'etc/.hidden',
  'etc/conf.d/',
  'etc/conf.d/x.conf',
  'etc/passwd',
  'usr/',
  'usr/bin/',
  'usr/bin/env',
  'usr/bin/lib.so',
  'usr/lib/',
  'usr/lib/a.so',
  'usr/lib/deep/b.so',
  'u\\x2dnit',
];

function treeOf(lines: readonly string[]): TreeWalk & { walked: string[] } {
  const layer = layerOf(['/', ...lines].map(entryFrom));
  const nodes = merged([layer]).map(({ path, ref, nlink }): Node => {
    const entry = ref ? layer[ref.entry]! : layerOf([{ path, type: 'directory' }])[0]!;
    return { path, entry, layer: 0, nlink, inode: path };
  });
  const walked: string[] = [];
  return {
    walked,
    lookup: (path) => Promise.resolve(nodes.find((node) => node.path === path)),
    async *walk(path) {
      walked.push(path);
      // Batches of two: what is selected must not depend on where they end.
      const below = nodes.filter(
        (node) => path === '' || node.path === path || node.path.startsWith(`${path}/`),
      );
      for (let i = 0; i < below.length; i += 2) yield below.slice(i, i + 2);
    },
  };
}

async function select(args: readonly string[], options?: SelectOptions): Promise<string[]> {
  const selection = await selectNodes(treeOf(LINES), args, options);
  const paths: string[] = [];
  for await (const batch of selection.nodes()) paths.push(...batch.map((node) => node.path));
  assert.deepEqual(paths, [...new Set(paths)].sort(comparePaths));
  return paths;
}

test('selectNodes takes paths with all below, and globs over whole paths', async () => {
  const all = await select([]);
  assert.equal(all.length, LINES.length + 2); // The root, and usr/lib/deep, which no layer names.
  assert.deepEqual(await select(['/']), all);
  const cases: [string[], string[]][] = [
    [['etc/passwd'], ['etc/passwd']],
    [['/etc/conf.d/'], ['etc/conf.d', 'etc/conf.d/x.conf']],
    [
      ['usr/lib', 'usr', 'usr/lib/a.so'],
      [
        'usr',
        'usr/bin',
        'usr/bin/env',
        'usr/bin/lib.so',
        'usr/lib',
        'usr/lib/a.so',
        'usr/lib/deep',
        'usr/lib/deep/b.so',
      ],
    ],
    [['**/*.so'], ['usr/bin/lib.so', 'usr/lib/a.so', 'usr/lib/deep/b.so']],
    [['usr/*/*.so'], ['usr/bin/lib.so', 'usr/lib/a.so']],
    [['etc/*'], ['etc/.hidden', 'etc/conf.d', 'etc/conf.d/x.conf', 'etc/passwd']],
    [['etc/*/'], ['etc/conf.d', 'etc/conf.d/x.conf']],
    [['{etc/passwd,usr/bin/env}'], ['etc/passwd', 'usr/bin/env']],
    [['{etc/passwd,nothing}'], ['etc/passwd']],
    [
      ['usr/lib/*.so', 'usr/**/a*', 'etc/passwd'],
      ['etc/passwd', 'usr/lib/a.so'],
    ],
    // A last link is what it is; on the way it is followed, before the first wildcard too.
    [['bin'], ['bin']],
    [['bin/env'], ['usr/bin/env']],
    [['bin/e*'], ['usr/bin/env']],
    [['bi?'], ['bin']],
    // A path that exists as written is no glob, and an escaped name comes before a literal one.
    [['a[1]'], ['a[1]']],
    [['a[1]*'], ['a1']],
    [['u\\x2dnit'], ['u\\x2dnit']],
    [['\\x61\\x31'], ['a1']],
  ];
  for (const [args, paths] of cases) assert.deepEqual(await select(args), paths, args.join(' '));
});

test('selectNodes reads only the subtrees that can hold what is wanted', async () => {
  const tree = treeOf(LINES);
  const selection = await selectNodes(tree, ['usr/lib/**/*.so', 'etc/passwd', 'usr/lib/a.so']);
  for await (const _ of selection.nodes());
  assert.deepEqual(tree.walked, ['etc/passwd', 'usr/lib']);
});

test('selectNodes reports what means nothing', async () => {
  await assert.rejects(select(['nope']), { code: 'PATH_NOT_FOUND' });
  await assert.rejects(select(['etc/passwd', 'nope/*']), {
    code: 'PATH_NOT_FOUND',
    message: /matches nope\/\*$/,
  });
  await assert.rejects(select(['*.x\x1b']), { code: 'PATH_NOT_FOUND', message: /matches \*\.x\\x1b$/ });
  const errors: string[] = [];
  const paths = await select(['nope', 'etc/p*', 'x*', 'none/*'], {
    onError: (error) => errors.push(error.message),
  });
  assert.deepEqual(paths, ['etc/passwd']);
  assert.deepEqual(
    errors.map((message) => message.split(' ').at(-1)),
    ['/', 'none/*', 'x*'],
  );
  // A glob whose every match was selected already by another argument is no error.
  assert.deepEqual(await select(['etc/conf.d', 'etc/conf.d/*.conf']), ['etc/conf.d', 'etc/conf.d/x.conf']);
});
