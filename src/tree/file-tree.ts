/**
 * The merged file tree while layers are applied to it: what a full unpack would have on disk, reduced to names, inodes and
 * references to the entries that made them.
 */
import type { ByteString } from '../bytes.js';
import type { MergeEntry } from './entry.js';
import { filled, grown, NameTree, NONE, ROOT, type Slot } from './name-tree.js';

/** What a name is. LINK is a hard link whose target is still to be found, LOST one whose target is nowhere. */
export const KIND = { directory: 0, symlink: 1, other: 2, link: 3, lost: 4, gone: 5 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** Bytes of a path: twice what Linux can name in one call (PATH_MAX), so no unpacker gets there. */
export const MAX_PATH_BYTES = 8192;
/** Names that the layers of one image may make, those that are replaced or hidden later included. */
export const MAX_NAMES = 8_000_000;

export type Layers = readonly (readonly MergeEntry[])[];

export class FileTree {
  readonly names = new NameTree({ names: MAX_NAMES, pathBytes: MAX_PATH_BYTES });
  readonly layers: Layers;
  /** The layer that is being applied. */
  layer = 0;
  /** Grows whenever a directory or symlink goes away, or a symlink comes, so that a path resolved before may lead elsewhere now. */
  routes = 0;
  private kinds = new Uint8Array(1024);
  private refLayers = filled(1024);
  private refEntries = filled(1024);
  /** Number of the shared inode; NONE while a file has one name. */
  private inodes = filled(1024);
  /** The last layer that made or changed this name or one below it: whiteouts of that layer do not hide it. */
  private touchedBy = filled(1024);
  /** The last layer that hid all older names below this directory. */
  private clearedBy = filled(1024);
  /** 1 where the path is not the entry's own, because a symlink led here. */
  private movedFlags = new Uint8Array(1024);
  private readonly inodeLayers: number[] = [];
  private readonly inodeEntries: number[] = [];
  private readonly inodeLinks: number[] = [];

  constructor(layers: Layers) {
    this.layers = layers;
    this.kinds[ROOT] = KIND.directory;
  }

  kind(slot: Slot): number {
    return this.kinds[slot]!;
  }

  /** The layer of the entry that made the name; NONE for a directory that no layer names. */
  refLayer(slot: Slot): number {
    return this.refLayers[slot]!;
  }

  refEntry(slot: Slot): number {
    return this.refEntries[slot]!;
  }

  moved(slot: Slot): boolean {
    return this.movedFlags[slot] === 1;
  }

  /** The number of the inode that this name shares or has shared with others, or NONE. */
  sharedInode(slot: Slot): number {
    return this.inodes[slot]!;
  }

  inode(number: number): { layer: number; entry: number; links: number } {
    return {
      layer: this.inodeLayers[number]!,
      entry: this.inodeEntries[number]!,
      links: this.inodeLinks[number]!,
    };
  }

  /** The target of a symlink, as written. */
  linkText(slot: Slot): ByteString {
    const inode = this.inodes[slot]!;
    const layer = inode === NONE ? this.refLayers[slot]! : this.inodeLayers[inode]!;
    const entry = inode === NONE ? this.refEntries[slot]! : this.inodeEntries[inode]!;
    return this.layers[layer]![entry]!.link;
  }

  /**
   * Makes the child of `parent` that is named text[start, end) what `kind` says, in place of what was there; a directory over
   * a directory keeps its children. `entry` is its ordinal in the current layer, NONE for a directory that no layer names.
   */
  make(
    parent: Slot,
    name: { text: string; start: number; end: number },
    is: { kind: Kind; entry: number },
  ): Slot {
    const { text, start, end } = name;
    let slot = this.names.find(parent, text, start, end);
    if (slot === NONE) {
      slot = this.names.add(parent, text, start, end);
      if (slot >= this.kinds.length) this.grow();
    } else {
      this.release(slot, is.kind);
    }
    // What was missing on a way that turns back with `..` may now lead elsewhere.
    if (is.kind === KIND.symlink) this.routes++;
    this.kinds[slot] = is.kind;
    this.setRef(slot, is.entry);
    this.touch(slot);
    return slot;
  }

  /** Makes the entry with this ordinal of the current layer the one that describes a name. */
  setRef(slot: Slot, entry: number): void {
    this.refLayers[slot] = entry === NONE ? NONE : this.layer;
    this.refEntries[slot] = entry;
  }

  setMoved(slot: Slot, moved: boolean): void {
    this.movedFlags[slot] = moved ? 1 : 0;
  }

  /** Holds the inode of a file for one more name, to be given with `share`: it then survives this name. */
  hold(slot: Slot): number {
    let inode = this.inodes[slot]!;
    if (inode === NONE) {
      inode = this.addInode(this.refLayers[slot]!, this.refEntries[slot]!);
      this.inodes[slot] = this.holdInode(inode);
    }
    return this.holdInode(inode);
  }

  /** Holds an inode for one more name. */
  holdInode(inode: number): number {
    this.inodeLinks[inode]!++;
    return inode;
  }

  /** An inode that has no name yet. */
  addInode(layer: number, entry: number): number {
    this.inodeLayers.push(layer);
    this.inodeEntries.push(entry);
    this.inodeLinks.push(0);
    return this.inodeLinks.length - 1;
  }

  /** Gives a held inode to a name that has none. */
  share(slot: Slot, inode: number): void {
    const type = this.layers[this.inodeLayers[inode]!]![this.inodeEntries[inode]!]!.type;
    this.inodes[slot] = inode;
    this.kinds[slot] = type === 'symlink' ? KIND.symlink : KIND.other;
  }

  setKind(slot: Slot, kind: Kind): void {
    this.kinds[slot] = kind;
  }

  isTouched(slot: Slot): boolean {
    return this.touchedBy[slot] === this.layer;
  }

  /** Hides a name of lower layers and all below it that lower layers made; what the current layer made stays. */
  hide(slot: Slot): void {
    if (!this.isTouched(slot)) {
      this.names.remove(slot, (gone) => this.forget(gone));
      return;
    }
    if (this.kinds[slot] !== KIND.directory) return;
    this.disown(slot);
    this.hideChildren(slot);
  }

  /**
   * Hides all that lower layers made below a directory. Each directory is cleared at most once per layer: after that nothing
   * older can be below it, so that many markers cost no more than one.
   */
  hideChildren(directory: Slot): void {
    const open = [directory];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (this.clearedBy[at] === this.layer) continue;
      this.clearedBy[at] = this.layer;
      for (let child = this.names.firstChild(at), after: Slot; child !== NONE; child = after) {
        after = this.names.sibling(child);
        if (!this.isTouched(child)) {
          this.names.remove(child, (gone) => this.forget(gone));
        } else if (this.kinds[child] === KIND.directory) {
          this.disown(child);
          open.push(child);
        }
      }
    }
  }

  /** A directory that stays only for what the current layer has below it loses the attributes of lower layers. */
  private disown(directory: Slot): void {
    if (this.refLayers[directory] !== this.layer) this.setRef(directory, NONE);
  }

  /** Frees what a name was, before it becomes something of kind `next`. */
  private release(slot: Slot, next: Kind): void {
    const kind = this.kinds[slot]!;
    if (kind === KIND.directory && next === KIND.directory) return;
    if (kind === KIND.directory) this.names.removeChildren(slot, (gone) => this.forget(gone));
    if (kind === KIND.directory || kind === KIND.symlink) this.routes++;
    this.dropInode(slot);
  }

  private forget(slot: Slot): void {
    const kind = this.kinds[slot]!;
    if (kind === KIND.directory || kind === KIND.symlink) this.routes++;
    this.dropInode(slot);
    this.kinds[slot] = KIND.gone;
  }

  private dropInode(slot: Slot): void {
    const inode = this.inodes[slot]!;
    if (inode === NONE) return;
    this.inodeLinks[inode]!--;
    this.inodes[slot] = NONE;
  }

  /** Marks a name and its ancestors as the current layer's; stops where that was done before. */
  private touch(slot: Slot): void {
    for (let at = slot; at !== NONE && !this.isTouched(at); at = this.names.parent(at)) {
      this.touchedBy[at] = this.layer;
    }
  }

  private grow(): void {
    const length = this.kinds.length * 2;
    const kinds = new Uint8Array(length);
    kinds.set(this.kinds);
    this.kinds = kinds;
    const moved = new Uint8Array(length);
    moved.set(this.movedFlags);
    this.movedFlags = moved;
    this.refLayers = grown(this.refLayers, length);
    this.refEntries = grown(this.refEntries, length);
    this.inodes = grown(this.inodes, length);
    this.touchedBy = grown(this.touchedBy, length);
    this.clearedBy = grown(this.clearedBy, length);
  }
}
