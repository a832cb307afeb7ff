/**
 * Applies the layers of an image to an empty root file system, by the changeset rules of the OCI image spec (layer.md,
 * 'Applying Changesets' and 'Whiteouts'), in tar order within each layer. Where the spec is silent clip does what umoci
 * does, and where umoci refuses the whole image it reads on; each rule, with what containerd and umoci do, is a row of
 * docs/conformance.md, 'Changesets'.
 */
import type { MergeEntry } from './entry.js';
import { FileTree, KIND } from './file-tree.js';
import { DirectoryFinder } from './find-directory.js';
import { flatten } from './flatten.js';
import type { MergedNode } from './merged-node.js';
import { NONE, ROOT, type Slot } from './name-tree.js';
import { tarOrder } from './tar-order.js';

const WHITEOUT = '.wh.';
const AUFS = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';

/**
 * Returns the nodes of the merged tree, sorted by comparePaths, the root ('') first; to be iterated once. Yields every few hundred entries, so that
 * signals are heard in between. Each layer's entries come sorted by
 * (comparePaths, position) and are applied in the order of their positions. Time and memory grow with the number of entries;
 * nothing recurses.
 *
 * A name that is a hard link to nothing, or to a directory, stays in the tree with `ref` and without `target`: unpackers
 * refuse such an image as a whole, clip refuses that one name when it is read.
 *
 * Throws ClipError LIMIT, here or while iterating: a path over 8192 bytes, over 8,000,000 names, or paths and links whose handling would take more
 * memory or time than any real image.
 */
export function* mergeLayers(
  layers: readonly (readonly MergeEntry[])[],
): Generator<undefined, Iterable<MergedNode>, undefined> {
  const tree = new FileTree(layers);
  for (let layer = 0; layer < layers.length; layer++) {
    tree.layer = layer;
    yield* new LayerApplier(tree, layers[layer]!).apply();
  }
  return flatten(tree);
}

/** Entries of a step. Each may be thousands of directories deep. */
const STEP = 256;

class LayerApplier {
  private readonly tree: FileTree;
  private readonly entries: readonly MergeEntry[];
  private readonly finder: DirectoryFinder;
  /** Hard links whose target was not there when they came. */
  private readonly pending: { slot: Slot; entry: number }[] = [];
  /** Files that aufs kept aside for hard links (`.wh..wh.plnk/…`): path to held inode. */
  private readonly aside = new Map<string, number>();
  /** The directory of the entry before: tars list a directory's files together. */
  private lastParent = { path: '', slot: ROOT, moved: false, routes: -1 };

  constructor(tree: FileTree, entries: readonly MergeEntry[]) {
    this.tree = tree;
    this.entries = entries;
    this.finder = new DirectoryFinder(tree);
  }

  *apply(): Generator<undefined, void, undefined> {
    let applied = 0;
    for (const ordinal of tarOrder(this.entries)) {
      if (++applied % STEP === 0) yield undefined;
      const { path, type } = this.entries[ordinal]!;
      if (path === '') {
        // Unpackers refuse to turn the root into anything else.
        if (type === 'directory') this.tree.setRef(ROOT, ordinal);
      } else if (!path.includes(WHITEOUT) || !this.applyMarker(path, ordinal)) {
        this.place(path, ordinal);
      }
    }
    for (const { slot, entry } of this.pending) this.retry(slot, entry);
  }

  /** Handles whiteouts and what aufs leaves behind; false where the path is an ordinary one after all. */
  private applyMarker(path: string, ordinal: number): boolean {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if ((path.startsWith(AUFS) || path.includes(`/${AUFS}`)) && !isOpaqueMarker(path, slash + 1)) {
      if (this.entries[ordinal]!.type === 'file') {
        this.aside.set(path, this.tree.addInode(this.tree.layer, ordinal));
      }
      return true;
    }
    if (!name.startsWith(WHITEOUT)) return false;
    const directory = this.finder.find(path, Math.max(slash, 0));
    if (!directory || directory.missing.length > 0) return true;
    if (name === OPAQUE) {
      this.tree.hideChildren(directory.slot);
      return true;
    }
    // `.wh.`, `.wh..` and `.wh...` name nothing that could be hidden: '', '.' and '..' are never in the tree.
    const hidden = this.tree.names.find(directory.slot, name, WHITEOUT.length, name.length);
    if (hidden !== NONE) this.tree.hide(hidden);
    return true;
  }

  private place(path: string, ordinal: number): void {
    const { type, link } = this.entries[ordinal]!;
    const slash = path.lastIndexOf('/');
    const name = { text: path, start: slash + 1, end: path.length };
    // The target is looked up before anything gives way to the new name: its inode may have been there.
    const inode = type === 'hardlink' ? this.holdTarget(link) : NONE;
    const parent = this.parentOf(path, slash);
    const kind = type === 'directory' ? KIND.directory : type === 'symlink' ? KIND.symlink : KIND.other;
    const isPending = type === 'hardlink' && inode === NONE;
    const slot = this.tree.make(parent.slot, name, { kind: isPending ? KIND.link : kind, entry: ordinal });
    this.tree.setMoved(slot, parent.moved);
    if (inode !== NONE) this.tree.share(slot, inode);
    if (isPending) this.pending.push({ slot, entry: ordinal });
  }

  private parentOf(path: string, slash: number): { slot: Slot; moved: boolean } {
    if (slash < 0) return { slot: ROOT, moved: false };
    const last = this.lastParent;
    if (last.routes === this.tree.routes && last.path.length === slash && path.startsWith(last.path)) {
      return last;
    }
    const parent = this.finder.make(path, slash);
    this.lastParent = { path: path.slice(0, slash), ...parent, routes: this.tree.routes };
    return parent;
  }

  /** The held inode of a file that a hard link names, or NONE. */
  private holdTarget(link: string): number {
    const aside = this.aside.get(link);
    if (aside !== undefined) return this.tree.holdInode(aside);
    const slot = this.find(link);
    if (slot === NONE) return NONE;
    const kind = this.tree.kind(slot);
    return kind === KIND.other || kind === KIND.symlink ? this.tree.hold(slot) : NONE;
  }

  /** The name at a path whose last component is not followed. */
  private find(path: string): Slot {
    const slash = path.lastIndexOf('/');
    const directory = this.finder.find(path, Math.max(slash, 0));
    if (!directory || directory.missing.length > 0) return NONE;
    return this.tree.names.find(directory.slot, path, slash + 1, path.length);
  }

  /**
   * At the end of a layer, links a hard link to a target that came after it. Follows pending links to each other; each is
   * looked up once, and one that comes round to itself is lost.
   */
  private retry(slot: Slot, entry: number): void {
    const { tree } = this;
    if (tree.kind(slot) !== KIND.link || tree.refEntry(slot) !== entry) return;
    const chain: Slot[] = [];
    let at = slot;
    while (at !== NONE && tree.kind(at) === KIND.link) {
      tree.setKind(at, KIND.lost);
      chain.push(at);
      at = this.find(this.entries[tree.refEntry(at)]!.link);
    }
    const kind = at === NONE ? KIND.lost : tree.kind(at);
    if (kind !== KIND.other && kind !== KIND.symlink) return;
    for (const link of chain) tree.share(link, tree.hold(at));
  }
}

function isOpaqueMarker(path: string, start: number): boolean {
  return (
    path.startsWith(OPAQUE, start) && path.length === start + OPAQUE.length && path.indexOf(AUFS) === start
  );
}
