/** An entry from its own header block and from what came before it. */
import type { ByteString } from '../bytes.js';
import type { Entry, EntryType } from '../tree/entry.js';
import { cleanPath } from './clean-path.js';
import { dialectOf, headerLink, headerName, headerOwner } from './header.js';
import type { TarLimits } from './limits.js';
import type { Extras } from './meta.js';
import { readNumber } from './number.js';
import { corruptTar, tarLimit } from './tar-error.js';

/** By typeflag. Every other flag is a regular file, as POSIX asks for unknown types and GNU tar does ('7', 'S' among them). */
const TYPES: Readonly<Record<number, EntryType>> = {
  49: 'hardlink',
  50: 'symlink',
  51: 'char',
  52: 'block',
  53: 'directory',
  54: 'fifo',
  68: 'directory',
};
const OLD_FILE = 0x00;
/** GNU's dumpdir: a directory whose data are the names it held. */
const DUMPDIR = 0x44;

const EMPTY = '' as ByteString;

export interface Built {
  entry: Entry;
  /** Bytes of data that follow in the tar, padding not counted. */
  stored: number;
}

export interface EntryBuilder {
  /**
   * `at` is the offset of the header block. The size of a file is what is stored: the caller sets a sparse file's. Throws
   * CORRUPT_TAR, LIMIT.
   */
  build(block: Buffer, extras: Extras, at: number): Built;
}

/** The builder keeps the last owner's names, so that entries share them. */
export function createEntryBuilder(limits: TarLimits): EntryBuilder {
  let uname = EMPTY;
  let gname = EMPTY;

  return {
    build(block, extras, at) {
      const { overrides } = extras;
      const flag = block[156]!;
      const dialect = dialectOf(block);
      const hasOwners = dialect !== 'v7';
      // Go lets the sparse name, then the GNU long name win over PAX's path; GNU tar lets PAX's win. No tool writes both.
      const long = extras.sparse?.name ?? extras.longName ?? overrides.path;
      if (long !== undefined && long.length > limits.nameBytes) throw tarLimit('a path too long', at);
      const { path, slash } =
        long === undefined
          ? headerName(block, dialect)
          : { path: cleanPath(long), slash: long.endsWith('/') };

      const type = typeOf(flag, slash);
      const stored = hasData(flag, type) ? (overrides.size ?? unsigned(block, 124, 12, at)) : 0;
      if (path === '' && type !== 'directory') throw corruptTar('an entry without a name', at);
      if (hasOwners) {
        uname = headerOwner(block, 265, uname);
        gname = headerOwner(block, 297, gname);
      }
      const isDevice = (type === 'char' || type === 'block') && hasOwners;
      const entry: Entry = {
        path,
        type,
        mode: unsigned(block, 100, 8, at) % 0o10000,
        uid: identity(overrides.uid ?? readNumber(block, 108, 8), at),
        gid: identity(overrides.gid ?? readNumber(block, 116, 8), at),
        uname: overrides.uname ?? (hasOwners ? uname : EMPTY),
        gname: overrides.gname ?? (hasOwners ? gname : EMPTY),
        mtime: overrides.mtime ?? signed(block, 136, 12, at),
        mtimeNanos: overrides.mtimeNanos,
        size: type === 'file' ? stored : 0,
        link: linkOf(type, block, extras),
        devMajor: isDevice ? identity(overrides.devMajor ?? readNumber(block, 329, 8), at) : 0,
        devMinor: isDevice ? identity(overrides.devMinor ?? readNumber(block, 337, 8), at) : 0,
        xattrs: overrides.xattrs,
        position: at + block.length,
      };
      if (entry.link.length > limits.nameBytes) throw tarLimit('a link target too long', at);
      return { entry, stored };
    },
  };
}

/**
 * v7 and old BSD tars have no type for directories: a NUL type and a slash at the end of the name are the mark. A type '0' with such
 * a name is a file for Go, and so for every container engine (a directory for GNU tar and bsdtar).
 */
function typeOf(flag: number, slash: boolean): EntryType {
  if (flag === OLD_FILE && slash) return 'directory';
  return TYPES[flag] ?? 'file';
}

/**
 * POSIX: the types 1 to 6 have no data whatever their size says, nor does a v7 directory. Where POSIX pax allows data with a hard
 * link, Go and GNU tar read none, and so does clip.
 */
function hasData(flag: number, type: EntryType): boolean {
  return type === 'file' || flag === DUMPDIR;
}

function linkOf(type: EntryType, block: Buffer, extras: Extras): ByteString {
  if (type !== 'symlink' && type !== 'hardlink') return EMPTY;
  const link = extras.longLink ?? extras.overrides.linkpath ?? headerLink(block);
  return type === 'hardlink' ? cleanPath(link) : link;
}

function signed(block: Buffer, from: number, length: number, at: number): number {
  const value = readNumber(block, from, length);
  if (Number.isNaN(value)) throw corruptTar(`a header with a bad number (byte ${from})`, at);
  return value;
}

function unsigned(block: Buffer, from: number, length: number, at: number): number {
  const value = signed(block, from, length, at);
  if (value < 0) throw corruptTar(`a header with a negative number (byte ${from})`, at);
  return value;
}

/**
 * An owner or device number of 32 bits. Negative ones are what the kernel takes them for: engines hand -1 to chown, where it means
 * 'leave it', as 4294967295 does.
 */
function identity(value: number, at: number): number {
  if (value >= -0x8000_0000 && value <= 0xffff_ffff) return value >>> 0;
  throw corruptTar('an owner or device number of more than 32 bits', at);
}
