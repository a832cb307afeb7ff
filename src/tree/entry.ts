import type { ByteString } from '../bytes.js';
import type { ExtentList, Extents } from './extents.js';

export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

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
  extents?: Extents;
}

/** The extents of a file in ascending logical order; none for an empty file or for anything that is not a file. */
export function extentsOf(entry: Entry): ExtentList {
  if (entry.extents) return entry.extents;
  if (entry.type !== 'file' || entry.size === 0) return [];
  return [{ logical: 0, offset: entry.position, length: entry.size }];
}

/** Bytes that a file takes in its layer: without its holes. */
export function storedBytes({ extents, size }: Entry): number {
  return extents ? extents.stored : size;
}

/** Bytes that attributes and extents take in memory, about. */
export function extraBytes({ xattrs, extents }: Pick<Entry, 'xattrs' | 'extents'>): number {
  let bytes = extents ? extents.numbers.byteLength : 0;
  for (const [name, value] of xattrs) bytes += XATTR_COST + name.length + value.length;
  return bytes;
}

/** Bytes that an entry takes besides the fields that all have: for bounds on how many are held at once. */
export function variableBytes(entry: Entry): number {
  return entry.path.length + entry.link.length + extraBytes(entry);
}

/** Bytes that an attribute of no length takes in memory. */
const XATTR_COST = 64;

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
