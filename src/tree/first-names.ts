import { type ByteString, detached } from '../bytes.js';
import { ClipError } from '../errors.js';
import type { Node } from './node.js';

/** Inodes with several names that are remembered: some 100 bytes each, */
const MAX_INODES = 1_000_000;
/** and so many of their paths. */
const MAX_BYTES = 134_217_728;

/** Under which name each inode came first, of those that have several. */
export class FirstNames {
  readonly #names = new Map<string, ByteString>();
  #bytes = 0;

  /** The first name of the node's inode: its own, where none came before. Throws LIMIT for more inodes than any image has. */
  of({ path, inode, nlink }: Pick<Node, 'path' | 'inode' | 'nlink'>): ByteString {
    if (nlink === 1) return path;
    const first = this.#names.get(inode);
    if (first !== undefined) return first;
    this.#bytes += path.length;
    if (this.#names.size === MAX_INODES || this.#bytes > MAX_BYTES) {
      throw new ClipError('LIMIT', 'the image has too many files with several names', {
        hint: 'this is no ordinary image; docs/security.md lists the limits',
      });
    }
    this.#names.set(inode, detached(path));
    return path;
  }
}
