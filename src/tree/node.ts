import type { ByteString } from '../bytes.js';
import type { Entry } from './entry.js';

/** One name of the merged tree with its metadata: what `lstat` and `stat` answer from. Hard links are already followed. */
export interface Node {
  /** Path in the merged tree; the root is ''. */
  path: ByteString;
  /**
   * The entry with the metadata and data (for a hard link, the one it links to; so `entry.path` may differ from `path` and
   * `entry.type` is 'hardlink' only for one whose target is nowhere in the image: such a name can be listed, and reading it is
   * NOT_A_FILE). A directory that no layer names has a synthetic entry: mode 0755, uid and gid 0, mtime 0.
   */
  entry: Entry;
  /** The layer that `entry` is in (0 is the base); -1 for a synthetic directory. */
  layer: number;
  /** Names that share this inode. */
  nlink: number;
  /** Same for all names of one inode, distinct otherwise, within one image. */
  inode: string;
}

/** What path resolution needs from a tree. */
export interface TreeLookup {
  /** The node at exactly this canonical path, no link followed. */
  lookup(path: ByteString): Promise<Node | undefined>;
}
