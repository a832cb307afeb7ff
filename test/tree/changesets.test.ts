import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../../src/tree/entry.js';
import type { MergedNode } from '../../src/tree/merged-node.js';
import { entryFrom, layerOf } from '../support/entries.js';
import { merged } from '../support/merged.js';
import { compareWithUmoci, hasUmoci } from '../support/umoci.js';

/** A rule of changesets: layers in the notation of `entryFrom`, and what is left of them. */
interface Rule {
  name: string;
  layers: string[][];
  /**
   * Names of the result, the root not counted. `d/` is a directory, `d/?` one that no layer names; `=> 0:a` is a hard link
   * with data and attributes of the entry `a` of layer 0, `=> nowhere` one without a target.
   */
  left: string[];
  /**
   * What `umoci raw unpack` makes of it: `same` is compared whole (types, modes, owners, mtimes, contents, link targets,
   * hard-link groups); it `refuses` the image as a whole; it `differs` in these lines; or it must not be tried.
   */
  umoci: 'same' | 'refuses' | 'differs' | 'dangerous';
}

const rule = (name: string, layers: string[][], left: string[], umoci: Rule['umoci'] = 'same'): Rule => ({
  name,
  layers: layers.map((lines) => ['/', ...lines]),
  left,
  umoci,
});

const RULES: Rule[] = [
  // Whiteouts
  rule('a whiteout hides a file', [['d/', 'd/a', 'd/b'], ['d/.wh.a']], ['d/', 'd/b']),
  rule('a whiteout hides a directory and all below', [['d/', 'd/s/', 'd/s/a'], ['.wh.d']], []),
  rule('a whiteout before the new file leaves the new file', [['a'], ['.wh.a', 'a']], ['a']),
  rule('a whiteout after the new file leaves the new file', [['a'], ['a', '.wh.a']], ['a']),
  rule('a whiteout hides nothing of its own layer', [[], ['a', '.wh.a']], ['a']),
  rule(
    'a whiteout after a new child hides only the old ones',
    [
      ['d/', 'd/old'],
      ['d/', 'd/new', '.wh.d'],
    ],
    ['d/', 'd/new'],
  ),
  rule(
    'a whiteout takes the attributes of a directory that only a new child keeps',
    [
      ['d/', 'd/old'],
      ['d/new', '.wh.d'],
    ],
    ['d/?', 'd/new'],
  ),
  rule('a whiteout of what is not there is nothing', [['a'], ['.wh.b', 'c/.wh.d']], ['a']),
  rule(
    'a whiteout may have any type',
    [
      ['a', 'b', 'c'],
      ['.wh.a/', '.wh.b -> x', '.wh.c'],
    ],
    [],
  ),
  rule('a whiteout below a file is nothing', [['f'], ['f/.wh.x', 'f/.wh..wh..opq']], ['f']),
  rule(
    'a bare whiteout names nothing',
    [
      ['d/', 'd/a'],
      ['d/.wh.', 'd/.wh..', 'd/.wh...'],
    ],
    ['d/', 'd/a'],
    'dangerous',
  ),
  rule('a whiteout of a whiteout name is nothing', [['a'], ['.wh..wh.a']], ['a']),
  // Opaque whiteouts
  rule(
    'an opaque marker before its siblings',
    [
      ['a/', 'a/b/', 'a/b/c/', 'a/b/c/bar'],
      ['a/', 'a/.wh..wh..opq', 'a/b/', 'a/b/c/', 'a/b/c/foo'],
    ],
    ['a/', 'a/b/', 'a/b/c/', 'a/b/c/foo'],
  ),
  rule(
    'an opaque marker after its siblings',
    [
      ['a/', 'a/b/', 'a/b/c/', 'a/b/c/bar'],
      ['a/', 'a/b/', 'a/b/c/', 'a/b/c/foo', 'a/.wh..wh..opq'],
    ],
    ['a/', 'a/b/', 'a/b/c/', 'a/b/c/foo'],
  ),
  rule(
    'an opaque marker alone keeps the directory',
    [['d/', 'd/a', 'd/s/', 'd/s/b'], ['d/.wh..wh..opq']],
    ['d/'],
  ),
  rule(
    'an opaque marker in the root',
    [
      ['a', 'b/', 'b/c'],
      ['.wh..wh..opq', 'n'],
    ],
    ['n'],
  ),
  rule('an opaque marker in a directory that is not there', [['a'], ['n/.wh..wh..opq']], ['a']),
  rule(
    'an opaque marker twice',
    [
      ['d/', 'd/a'],
      ['d/.wh..wh..opq', 'd/b', 'd/.wh..wh..opq'],
    ],
    ['d/', 'd/b'],
  ),
  rule(
    'an opaque marker in a directory that replaced a symlink spares what the symlink pointed to',
    [
      ['r/', 'r/x', 's -> r'],
      ['s/', 's/.wh..wh..opq', 's/y'],
    ],
    ['r/', 'r/x', 's/', 's/y'],
  ),
  // aufs
  rule('aufs bookkeeping is skipped', [['f'], ['.wh..wh.aufs', '.wh..wh.orph/', '.wh..wh.plnk/']], ['f']),
  rule(
    'a hard link into aufs bookkeeping keeps its data',
    [['f'], ['.wh..wh.plnk/1.2', 'x => .wh..wh.plnk/1.2']],
    ['f', 'x => 1:.wh..wh.plnk/1.2'],
    'differs',
  ),
  rule(
    'a directory that only looks like a whiteout has ordinary children',
    [['foo'], ['.wh.foo/bar']],
    ['.wh.foo/?', '.wh.foo/bar', 'foo'],
  ),
  // Changes of type
  rule('a file over a directory', [['d/', 'd/x'], ['d']], ['d']),
  rule('a directory over a file', [['d'], ['d/', 'd/x']], ['d/', 'd/x']),
  rule('a symlink over a directory', [['d/', 'd/x', 'e/'], ['d -> e']], ['d -> e', 'e/']),
  rule(
    'a directory over a symlink',
    [
      ['r/', 'r/x', 's -> r'],
      ['s/', 's/y'],
    ],
    ['r/', 'r/x', 's/', 's/y'],
  ),
  rule('a file over a symlink', [['r', 's -> r'], ['s']], ['r', 's']),
  rule('a symlink over a file', [['r', 's'], ['s -> r']], ['r', 's -> r']),
  rule(
    'a directory over a directory takes the upper attributes and keeps the children',
    [
      ['d/', 'd/x'],
      ['d/', 'd/y'],
    ],
    ['d/', 'd/x', 'd/y'],
  ),
  rule('a file over a directory of the same layer', [['d/', 'd/x', 'd']], ['d']),
  rule('a directory over a file of the same layer', [['d', 'd/', 'd/x']], ['d/', 'd/x']),
  rule('of duplicates the last wins', [['a', 'b -> x', 'a', 'b']], ['a', 'b']),
  rule('the root stays a directory', [['a'], [' -> a']], ['a'], 'refuses'),
  // Parents
  rule('a missing parent is made', [['a/b/c']], ['a/?', 'a/b/?', 'a/b/c']),
  rule('a parent that comes later gives its attributes', [['a/b', 'a/']], ['a/', 'a/b']),
  rule(
    'a parent that is a symlink of a lower layer',
    [['r/', 'r/x', 's -> r'], ['s/y']],
    ['r/', 'r/x', 'r/y', 's -> r'],
  ),
  rule('a parent that is a symlink of the same layer', [['r/', 's -> r', 's/y']], ['r/', 'r/y', 's -> r']),
  rule(
    'a parent that is an absolute symlink',
    [['r/', 'r/q/', 's -> /r/q'], ['s/y']],
    ['r/', 'r/q/', 'r/q/y', 's -> /r/q'],
  ),
  rule(
    'a parent that is a symlink above the root',
    [['r/', 'r/q/', 's -> ../../r/q/../..'], ['s/y']],
    ['r/', 'r/q/', 's -> ../../r/q/../..', 'y'],
  ),
  rule(
    'a parent that is a symlink through a symlink',
    [
      ['r/', 't -> r', 's -> t/.'],
      ['s/y/', 's/y/z'],
    ],
    ['r/', 'r/y/', 'r/y/z', 's -> t/.', 't -> r'],
  ),
  rule(
    'a parent that is a symlink to nothing',
    [['s -> n/o'], ['s/y']],
    ['n/?', 'n/o/?', 'n/o/y', 's -> n/o'],
  ),
  rule(
    'a parent that is a loop of symlinks gives way',
    [['a -> b', 'b -> a'], ['a/x']],
    ['a/?', 'a/x', 'b -> a'],
    'refuses',
  ),
  rule(
    'a whiteout below a loop of symlinks is nothing',
    [['a -> b', 'b -> a'], ['a/.wh.x']],
    ['a -> b', 'b -> a'],
    'refuses',
  ),
  rule('a parent that is a file of a lower layer gives way', [['f'], ['f/x']], ['f/?', 'f/x'], 'refuses'),
  rule('a parent that is a file of the same layer gives way', [['f', 'f/x']], ['f/?', 'f/x'], 'refuses'),
  rule(
    'a whiteout through a symlinked parent',
    [['r/', 'r/x', 'r/y', 's -> r'], ['s/.wh.x']],
    ['r/', 'r/y', 's -> r'],
  ),
  rule(
    'an opaque marker through a symlinked parent',
    [
      ['r/', 'r/x', 's -> r'],
      ['s/.wh..wh..opq', 's/z'],
    ],
    ['r/', 'r/z', 's -> r'],
  ),
  // Hard links
  rule('a hard link takes data and attributes of its target', [['a', 'b => a']], ['a', 'b => 0:a']),
  rule('a hard link to a lower layer', [['a'], ['b => a']], ['a', 'b => 0:a']),
  rule(
    'a hard link through a symlinked parent',
    [['d/', 'd/a', 's -> d'], ['b => s/a']],
    ['b => 0:d/a', 'd/', 'd/a', 's -> d'],
  ),
  rule('a hard link to a symlink', [['a', 's -> a', 'b => s']], ['a', 'b => 0:s', 's -> a']),
  rule('a hard link to a hard link', [['a', 'b => a', 'c => b']], ['a', 'b => 0:a', 'c => 0:a']),
  rule('a hard link whose target is whited out above', [['a', 'b => a'], ['.wh.a']], ['b => 0:a']),
  rule('a hard link whose target is replaced above', [['a', 'b => a'], ['a']], ['a', 'b => 0:a']),
  rule('a hard link that is replaced above', [['a', 'b => a'], ['b']], ['a', 'b']),
  rule('a hard link to what is there before it is replaced', [['a'], ['b => a', 'a']], ['a', 'b => 0:a']),
  rule('a hard link before the whiteout of its target', [['a'], ['b => a', '.wh.a']], ['b => 0:a']),
  rule(
    'a hard link after the whiteout of its target',
    [['a'], ['.wh.a', 'b => a']],
    ['b => nowhere'],
    'refuses',
  ),
  rule('a hard link whose target comes later', [['b => a', 'a']], ['a', 'b => 0:a'], 'refuses'),
  rule(
    'hard links to each other whose target comes later',
    [['c => b', 'b => a', 'a']],
    ['a', 'b => 0:a', 'c => 0:a'],
    'refuses',
  ),
  rule(
    'hard links that go round in a circle',
    [['a => b', 'b => c', 'c => a']],
    ['a => nowhere', 'b => nowhere', 'c => nowhere'],
    'refuses',
  ),
  rule('a hard link to nothing', [['b => a']], ['b => nowhere'], 'refuses'),
  rule(
    'a hard link to nothing whose target an upper layer brings',
    [['b => a'], ['a']],
    ['a', 'b => nowhere'],
    'refuses',
  ),
  rule('a hard link to a directory', [['d/', 'b => d']], ['b => nowhere', 'd/'], 'refuses'),
  rule('a hard link to itself', [['a'], ['a => a']], ['a => 0:a'], 'refuses'),
  rule(
    'a hard link in place of the directory that holds its target',
    [['d/', 'd/t'], ['d => d/t']],
    ['d => 0:d/t'],
    'refuses',
  ),
];

/** Modes and times differ from entry to entry, those of hard links from their targets. */
function imageOf(layers: readonly (readonly string[])[]): Entry[][] {
  return layers.map((lines, layer) =>
    layerOf(
      lines.map((line, i) => ({
        ...entryFrom(line),
        mode: 0o4710 + layer * 0o100 + i,
        mtime: 1_000_000_000 + layer * 1000 + i,
        uid: 1000 + layer,
        gid: 2000 + i,
      })),
    ),
  );
}

function shown(image: readonly (readonly Entry[])[], nodes: readonly MergedNode[]): string[] {
  return nodes.slice(1).map(({ path, ref, target }) => {
    if (!ref) return `${path}/?`;
    const entry = image[ref.layer]![ref.entry]!;
    if (entry.type === 'directory') return `${path}/`;
    if (entry.type === 'symlink') return `${path} -> ${entry.link}`;
    if (entry.type !== 'hardlink') return path;
    return target
      ? `${path} => ${target.layer}:${image[target.layer]![target.entry]!.path}`
      : `${path} => nowhere`;
  });
}

for (const { name, layers, left } of RULES) {
  test(`changesets: ${name}`, () => {
    const image = imageOf(layers);
    assert.deepEqual(shown(image, merged(image)), left);
  });
}

for (const { name, layers, umoci } of RULES.filter((one) => one.umoci !== 'dangerous')) {
  test(`changesets, umoci ${umoci}: ${name}`, (t) => {
    if (!hasUmoci()) return t.skip('needs umoci and root');
    const image = imageOf(layers);
    const result = compareWithUmoci(image, merged(image));
    if (umoci === 'refuses') assert.ok('refused' in result, JSON.stringify(result));
    else {
      assert.ok('clip' in result, JSON.stringify(result));
      if (umoci === 'same') assert.deepEqual(result.clip, result.umoci);
      else assert.notDeepEqual(result.clip, result.umoci);
    }
  });
}
