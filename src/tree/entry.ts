import type { ByteString } from '../bytes.js';

export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/** A run of a file's bytes in the layer's tar stream. What lies between extents of a sparse file is zeros. */
export interface Extent {
  /** Offset in the file, bytes. */
  logical: number;
  /** Offset in the uncompressed tar stream, bytes. */
  offset: number;
  length: number;
}

/**
 * One member of a layer's tar, exactly as the tar says, before any merging: whiteouts are plain files here, hard links
 * name their target.
 */
export interface Entry {
  /**
   * Cleaned path: relative to the root, no leading or trailing slash, no empty, `.` or `..` component (`..` is resolved
   * lexically and stops at the root). The root itself is ''.
   */
  path: ByteString;
  type: EntryType;
  /** Permission bits with setuid, setgid, sticky: 0–0o7777. */
  mode: number;
  uid: number;
  gid: number;
  uname: ByteString;
  gname: ByteString;
  /** Whole seconds since 1970, rounded down (may be negative). */
  mtime: number;
  /** 0–999,999,999; always counts forward from `mtime`. */
  mtimeNanos: number;
  /** Logical size of a file in bytes; 0 for every other type. */
  size: number;
  /** Symlink: the target as written. Hard link: the target's cleaned path. Else ''. */
  link: ByteString;
  devMajor: number;
  devMinor: number;
  /** In byte order of names; names without the `SCHILY.xattr.` prefix. */
  xattrs: readonly (readonly [name: ByteString, value: ByteString])[];
  /**
   * Offset in the tar stream just after this entry's (last) header block: where its data begins. Distinct and ascending in
   * tar order, so it is also the entry's place in that order.
   */
  position: number;
  /**
   * Where the bytes of a file lie. `undefined` for the common case: a non-empty plain file is one extent
   * {logical 0, offset: position, length: size}; use `extentsOf`. Sparse files list theirs (possibly none).
   */
  extents?: readonly Extent[];
}

/** The extents of a file in ascending logical order; empty for an empty file or for anything that is not a file. */
export function extentsOf(entry: Entry): readonly Extent[] {
  if (entry.extents) return entry.extents;
  if (entry.type !== 'file' || entry.size === 0) return [];
  return [{ logical: 0, offset: entry.position, length: entry.size }];
}

/** A symbolic link that no file system takes: to nothing at all, or with a NUL, which an index that somebody else made can have. */
export function hasImpossibleLink({ type, link }: Entry): boolean {
  return type === 'symlink' && (link === '' || link.includes('\0'));
}

/** What merging layers needs of an entry: a fraction of the memory of the whole. */
export type MergeEntry = Pick<Entry, 'path' | 'type' | 'link' | 'position'>;

/**
 * Canonical order of paths: byte order with '/' before every other byte, so that all that is below a directory follows it
 * directly. Returns <0, 0 or >0.
 */
export function comparePaths(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x === 0x2f) return -1;
    if (y === 0x2f) return 1;
    return x - y;
  }
  return a.length - b.length;
}
