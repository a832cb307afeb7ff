import { ClipError } from '../errors.js';
import type { ImageIndex } from '../format/image-index.js';
import { extentsOf } from '../tree/entry.js';
import { FirstNames } from '../tree/first-names.js';
import type { Node } from '../tree/node.js';
import { choose } from './random.js';

/** Largest file that the generator chooses, bytes. */
export const LARGEST_FILE = 1 << 20;

/**
 * One node per read: `reads` of the non-empty regular files of at most 1 MiB that survive the merge and come from the image's
 * largest layer (by compressed size; the lowest of equals), in the canonical order of paths, each inode once under its first
 * name, shuffled by `seed`. Throws ClipError NOT_FOUND when there are none.
 */
export async function chooseFiles(index: ImageIndex, reads: number, seed: number): Promise<Node[]> {
  const sizes = index.layers.map((layer) => layer.size);
  const largest = sizes.indexOf(Math.max(...sizes));
  // Twice, first to count them: an image may have more than memory should hold.
  let count = 0;
  for await (const _ of eligible(index, largest)) count++;
  if (count === 0) {
    throw new ClipError('NOT_FOUND', 'no file of 1 byte to 1 MiB comes from the largest layer of the image', {
      hint: 'name the files to read with --file PATH',
    });
  }
  const chosen = choose(
    Uint32Array.from({ length: count }, (_, i) => i),
    reads,
    seed,
  );
  const nodes = new Map<number, Node | undefined>(chosen.map((number) => [number, undefined]));
  let number = 0;
  for await (const node of eligible(index, largest)) {
    if (nodes.has(number)) nodes.set(number, node);
    number++;
  }
  return chosen.map((one) => nodes.get(one)!);
}

async function* eligible(index: ImageIndex, layer: number): AsyncGenerator<Node> {
  const firsts = new FirstNames();
  for await (const nodes of index.walk('' as Node['path'])) {
    for (const node of nodes) {
      const { type, size } = node.entry;
      if (node.layer !== layer || type !== 'file' || size === 0 || size > LARGEST_FILE) continue;
      if (firsts.of(node) === node.path) yield node;
    }
  }
}

/** What `naive` has to inflate for these reads: for each, its layer from byte 0 to the file's last byte. */
export function naiveBytes(nodes: readonly Node[]): number {
  let bytes = 0;
  for (const { entry } of nodes) {
    const last = extentsOf(entry).at(-1);
    if (last) bytes += last.offset + last.length;
  }
  return bytes;
}
