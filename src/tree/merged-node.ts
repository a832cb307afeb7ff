import type { ByteString } from '../bytes.js';

/** A reference to an entry: which layer of the image (0 is the base), and the entry's ordinal in that layer's sorted entries. */
export interface EntryRef {
  layer: number;
  entry: number;
}

/** One name in the merged tree, as the merge yields it and as the image section stores it. */
export interface MergedNode {
  /** Where it is in the merged tree; differs from the entry's own path when a parent was a symlink. */
  path: ByteString;
  /** The entry that made this name; undefined for a directory that no layer names (a missing parent). */
  ref: EntryRef | undefined;
  /**
   * The entry that holds the data and metadata, when `ref` is a hard link (already followed to a non-hardlink entry);
   * undefined where `ref` is none, and where its target is nowhere in the image.
   */
  target: EntryRef | undefined;
  /** How many names of the merged tree share this inode; 1 for directories. */
  nlink: number;
}
