import { byteStringToBytes, byteStringToText } from '../bytes.js';
import { type EntryType, storedBytes } from '../tree/entry.js';
import type { Node } from '../tree/node.js';

/** Type bits of st_mode (POSIX <sys/stat.h>, with Linux's values). */
const TYPE_BITS: Record<EntryType, number> = {
  file: 0o100000,
  hardlink: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  char: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
};

/** Linux knows no other permissions of a symbolic link, whatever its tar says (symlink(7)). */
const LINK_BITS = 0o777;

/** What `isFile` and its siblings answer from. */
export abstract class Typed {
  protected abstract readonly type: EntryType;

  isFile(): boolean {
    return this.type === 'file';
  }
  isDirectory(): boolean {
    return this.type === 'directory';
  }
  isSymbolicLink(): boolean {
    return this.type === 'symlink';
  }
  isCharacterDevice(): boolean {
    return this.type === 'char';
  }
  isBlockDevice(): boolean {
    return this.type === 'block';
  }
  isFIFO(): boolean {
    return this.type === 'fifo';
  }
  isSocket(): boolean {
    return false;
  }
}

/** The fields of node:fs `Stats`. A tar keeps one time: all four are the modification time. */
export class ImageStats extends Typed {
  protected readonly type: EntryType;
  readonly dev = 0;
  /** The same for all names of one file of an image. */
  readonly ino: number;
  /** Type and permission bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Device number, in Linux's encoding. */
  readonly rdev: number;
  /** Bytes; of a symbolic link those of its target. */
  readonly size: number;
  readonly blksize = 4096;
  /** 512-byte blocks of data; holes take none. */
  readonly blocks: number;
  readonly mtimeMs: number;

  constructor(node: Node) {
    super();
    const { entry } = node;
    const stored = storedBytes(entry);
    this.type = entry.type;
    this.ino = inodeNumber(node.inode);
    this.mode = TYPE_BITS[entry.type] | (entry.type === 'symlink' ? LINK_BITS : entry.mode);
    this.nlink = node.nlink;
    this.uid = entry.uid;
    this.gid = entry.gid;
    this.rdev = deviceNumber(entry.devMajor, entry.devMinor);
    this.size = entry.type === 'symlink' ? entry.link.length : entry.size;
    this.blocks = Math.ceil(stored / 512);
    this.mtimeMs = entry.mtime * 1000 + entry.mtimeNanos / 1e6;
  }

  get atimeMs(): number {
    return this.mtimeMs;
  }
  get ctimeMs(): number {
    return this.mtimeMs;
  }
  get birthtimeMs(): number {
    return this.mtimeMs;
  }
  get mtime(): Date {
    return new Date(this.mtimeMs);
  }
  get atime(): Date {
    return this.mtime;
  }
  get ctime(): Date {
    return this.mtime;
  }
  get birthtime(): Date {
    return this.mtime;
  }
}

/** The fields of node:fs `Dirent`; names are Buffers where the caller asked for them. */
export class ImageDirent<Name extends string | Buffer> extends Typed {
  protected readonly type: EntryType;
  readonly name: Name;
  /** Path of the directory that it is in, as the caller wrote it. */
  readonly parentPath: string;

  constructor(node: Node, name: Name, parentPath: string) {
    super();
    this.type = node.entry.type;
    this.name = name;
    this.parentPath = parentPath;
  }

  /** Node 20's older name of `parentPath`. */
  get path(): string {
    return this.parentPath;
  }
}

/** A name as text, or as its own bytes. */
export function nameAs(name: Node['path'], encoding: 'utf8' | 'buffer'): string | Buffer {
  return encoding === 'buffer' ? byteStringToBytes(name) : byteStringToText(name);
}

/** makedev(3) of glibc: 12 + 20 bits of the major number around 8 + 24 bits of the minor one, of which 53 bits matter here. */
function deviceNumber(major: number, minor: number): number {
  return (major & 0xfff) * 0x100 + (minor & 0xff) + Math.floor(minor / 0x100) * 0x100000;
}

/**
 * A number for an inode. `layer:entry` becomes one without collisions; any other form a 53-bit hash (two 32-bit FNV-1a sums), where two of
 * a million names collide once in ten thousand images.
 */
function inodeNumber(inode: string): number {
  const parts = /^(-1|\d{1,3}):(\d{1,12})$/.exec(inode);
  if (parts) return (Number(parts[1]) + 1) * 2 ** 40 + (Number(parts[2]) + 1);
  let high = 0x811c9dc5;
  let low = 0x01000193;
  for (let i = 0; i < inode.length; i++) {
    high = Math.imul(high ^ inode.charCodeAt(i), 0x01000193);
    low = Math.imul(low ^ inode.charCodeAt(i), 0x85ebca6b);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}
