import type { ByteString } from '../bytes.js';
import { ClipError } from '../errors.js';
import { type FileTree, KIND } from './file-tree.js';
import type { EntryRef, MergedNode } from './merged-node.js';
import { NONE, ROOT, type Slot } from './name-tree.js';

/** Bytes of paths that no layer spells out (missing parents, names behind symlinks) in one image. */
const MAX_NEW_PATH_BYTES = 2 ** 28;

/** Lists the tree in canonical order. Throws ClipError LIMIT where paths of missing parents would fill the memory. */
export function* flatten(tree: FileTree): Generator<MergedNode> {
  checkNewPaths(tree);
  const { names } = tree;
  const targets = new Map<number, EntryRef>();
  const open: Slot[] = [ROOT];
  /** The directory whose path was spelled last: mostly the parent of the next one. */
  let spelled = { slot: ROOT, path: '' };
  for (let slot = open.pop(); slot !== undefined; slot = open.pop()) {
    const layer = tree.refLayer(slot);
    const ref = layer === NONE ? undefined : { layer, entry: tree.refEntry(slot) };
    const isDirectory = tree.kind(slot) === KIND.directory;
    let path = '' as ByteString;
    if (ref && !tree.moved(slot)) {
      path = tree.layers[layer]![ref.entry]!.path;
    } else if (slot !== ROOT) {
      const parent = names.parent(slot);
      if (spelled.slot !== parent) spelled = { slot: parent, path: pathOf(tree, parent) };
      path = (parent === ROOT ? names.name(slot) : `${spelled.path}/${names.name(slot)}`) as ByteString;
      if (isDirectory) spelled = { slot, path };
    }
    if (isDirectory) for (const child of childrenInReverse(tree, slot)) open.push(child);
    yield { path, ref, ...linkOf(tree, slot, targets) };
  }
}

/** Before the first of them is spelled. */
function checkNewPaths(tree: FileTree): void {
  const { names } = tree;
  let bytes = 0;
  for (let slot = ROOT + 1; slot < names.size; slot++) {
    if (tree.kind(slot) === KIND.gone) continue;
    if (tree.refLayer(slot) === NONE || tree.moved(slot)) bytes += names.pathLength(slot);
  }
  if (bytes <= MAX_NEW_PATH_BYTES) return;
  throw new ClipError('LIMIT', 'the image has too many long paths whose directories no layer names', {
    hint: 'this is no ordinary image; docs/security.md lists the limits',
  });
}

/** The path as the names on the way to the root spell it. */
function pathOf({ names }: FileTree, slot: Slot): ByteString {
  const path: string[] = [];
  for (let at = slot; at !== ROOT; at = names.parent(at)) path.push(names.name(at));
  return path.reverse().join('/') as ByteString;
}

function linkOf(
  tree: FileTree,
  slot: Slot,
  targets: Map<number, EntryRef>,
): Pick<MergedNode, 'target' | 'nlink'> {
  const number = tree.sharedInode(slot);
  if (number === NONE) return { target: undefined, nlink: 1 };
  const inode = tree.inode(number);
  if (inode.layer === tree.refLayer(slot) && inode.entry === tree.refEntry(slot)) {
    return { target: undefined, nlink: inode.links };
  }
  let target = targets.get(number);
  if (!target) {
    target = { layer: inode.layer, entry: inode.entry };
    targets.set(number, target);
  }
  return { target, nlink: inode.links };
}

/** The children of a directory, last name first. */
function childrenInReverse(tree: FileTree, directory: Slot): Slot[] {
  const { names } = tree;
  const children: Slot[] = [];
  let isSorted = true;
  for (let child = names.firstChild(directory); child !== NONE; child = names.sibling(child)) {
    if (children.length > 0 && names.compareNames(children.at(-1)!, child) < 0) isSorted = false;
    children.push(child);
  }
  return isSorted ? children : children.sort((a, b) => names.compareNames(b, a));
}
