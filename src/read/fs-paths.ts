import { type ByteString, bytesToByteString, textToByteString } from '../bytes.js';
import { isClipError } from '../errors.js';
import type { ImageIndex } from '../format/image-index.js';
import type { Node } from '../tree/node.js';
import { MissingPath, resolvePath } from '../tree/resolve.js';
import { FsError, toFsError } from './fs-errors.js';

/** A path in the image: text in UTF-8, or the bytes themselves. With or without a leading slash; relative to the root. */
export type PathLike = string | Uint8Array;

/** Resolved paths that are remembered; a node with its entry takes about 1 kB. */
const MAX_REMEMBERED = 8192;

export interface Paths {
  /** The node if the path was resolved before: the fast path. */
  known(path: PathLike, followLast: boolean): Node | undefined;
  /** Resolves inside the image's root. Throws FsError ENOENT, ENOTDIR, ELOOP, and ClipErrors that are no fault of the path. */
  resolve(path: PathLike, how: { followLast: boolean; syscall: string }): Promise<Node>;
}

export function createPaths(index: ImageIndex): Paths {
  const followed = new Map<string, Node>();
  const unfollowed = new Map<string, Node>();

  return {
    known(path, followLast) {
      if (typeof path !== 'string') return undefined;
      return (followLast ? followed : unfollowed).get(path);
    },
    async resolve(path, { followLast, syscall }) {
      const nodes = followLast ? followed : unfollowed;
      const known = typeof path === 'string' ? nodes.get(path) : undefined;
      if (known) return known;
      const name = toByteString(path);
      try {
        const node = await resolvePath(index, name, { followLast });
        if (typeof path === 'string') {
          const [oldest] = nodes.size >= MAX_REMEMBERED ? nodes.keys() : [];
          if (oldest !== undefined) nodes.delete(oldest);
          nodes.set(path, node);
        }
        return node;
      } catch (error) {
        const shown = showPath(path);
        if (isClipError(error, 'LIMIT'))
          throw new FsError('ENAMETOOLONG', { syscall, path: shown, cause: error });
        if (error instanceof MissingPath && error.throughFile) {
          throw new FsError('ENOTDIR', { syscall, path: shown, cause: error });
        }
        throw toFsError(error, syscall, shown);
      }
    },
  };
}

export function showPath(path: PathLike): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString('utf8');
}

function toByteString(path: PathLike): ByteString {
  return typeof path === 'string' ? textToByteString(path) : bytesToByteString(path);
}
