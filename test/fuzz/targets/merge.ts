import { deepStrictEqual } from 'node:assert/strict';
import { isClipError } from '../../../src/errors.js';
import { comparePaths } from '../../../src/tree/entry.js';
import { type EntryParts, layerOf } from '../../support/entries.js';
import { merged } from '../../support/merged.js';
import { naiveMerge } from '../../support/naive-merge.js';
import { mutateBytes } from '../mutate-bytes.js';
import { createRandom } from '../random.js';
import type { Target } from '../target.js';

/** Few names, so that entries meet. */
const NAMES = [
  'a',
  'b',
  'c',
  'a-',
  'a.',
  '.wh.a',
  '.wh.b',
  '.wh.c',
  '.wh..wh..opq',
  '.wh.',
  '.wh..',
  '.wh..wh.plnk',
  '.wh.a-',
];
const PARTS = ['a', 'b', 'c', 'a-', 'a.', '..', '.', ''];
const MOST_BYTES = 260;

/**
 * Layers and their merge. An input is a program of up to a hundred entries, few bytes each: kind and depth, then names. Oracle:
 * a plain simulation of a file system.
 */
export function mergeTarget(): Target {
  return {
    name: 'merge',
    code: [
      'tree/merge.js',
      'tree/file-tree.js',
      'tree/find-directory.js',
      'tree/flatten.js',
      'tree/name-tree.js',
      'tree/tar-order.js',
    ],
    seeds: () => Array.from({ length: 12 }, (_, i) => createRandom(i).bytes(20 + i * 15)),
    mutate(input, other, random) {
      return mutateBytes(input, other, random, MOST_BYTES);
    },
    run(input) {
      const layers = layersOf(input).map(layerOf);
      let nodes: ReturnType<typeof merged>;
      try {
        nodes = merged(layers);
      } catch (error) {
        if (isClipError(error, 'LIMIT')) return 'refused';
        throw error;
      }
      deepStrictEqual(nodes, naiveMerge(layers));
      for (let i = 1; i < nodes.length; i++)
        if (comparePaths(nodes[i - 1]!.path, nodes[i]!.path) >= 0) throw new Error('not in order');
      return 'taken';
    },
  };
}

function layersOf(input: Uint8Array): EntryParts[][] {
  const layers: EntryParts[][] = [[]];
  let at = 0;
  const next = (): number => input[at++] ?? 0;
  const path = (depth: number): string =>
    Array.from({ length: depth }, () => NAMES[next() % NAMES.length]!).join('/');
  while (at < input.length && at < MOST_BYTES) {
    const first = next();
    const depth = 1 + ((first >> 4) % 4);
    const entries = layers.at(-1)!;
    switch (first % 16) {
      case 0:
        if (layers.length < 5) layers.push([]);
        break;
      case 1:
        entries.push({ path: '', type: first & 16 ? 'directory' : 'fifo' });
        break;
      case 2:
      case 3:
      case 4:
        entries.push({ path: path(depth), type: 'directory', mode: 0o755 });
        break;
      case 5:
      case 6:
      case 7: {
        const link = Array.from({ length: next() % 4 }, () => PARTS[next() % PARTS.length]!).join('/');
        entries.push({ path: path(depth), type: 'symlink', link: (next() & 1 ? '/' : '') + link });
        break;
      }
      case 8:
      case 9:
      case 10:
        entries.push({ path: path(depth), type: 'hardlink', link: path(1 + (next() % 3)) });
        break;
      default:
        entries.push({ path: path(depth), type: 'file' });
    }
  }
  return layers;
}
