/**
 * What PAX records say about an entry: the fields that override its header block.
 *
 * Left out on purpose, as by containerd and umoci: atime, ctime, comment, charset and hdrcharset (names are bytes either way),
 * SCHILY.acl.*, RHT.security.selinux and other vendors' keywords.
 */
import type { ByteString } from '../bytes.js';
import { readDecimal, readTime } from './number.js';
import { decodeXattrName, type PaxRecord } from './pax.js';
import { corruptTar } from './tar-error.js';

type Xattrs = readonly (readonly [name: ByteString, value: ByteString])[];

export interface Overrides {
  readonly path: ByteString | undefined;
  readonly linkpath: ByteString | undefined;
  readonly uname: ByteString | undefined;
  readonly gname: ByteString | undefined;
  readonly size: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly devMajor: number | undefined;
  readonly devMinor: number | undefined;
  readonly mtime: number | undefined;
  readonly mtimeNanos: number;
  /** In byte order of names, each name once. */
  readonly xattrs: Xattrs;
}

export const NO_OVERRIDES: Overrides = {
  path: undefined,
  linkpath: undefined,
  uname: undefined,
  gname: undefined,
  size: undefined,
  uid: undefined,
  gid: undefined,
  devMajor: undefined,
  devMinor: undefined,
  mtime: undefined,
  mtimeNanos: 0,
  xattrs: [],
};

/** Keywords whose values are not even decoded: GNU tar and bsdtar write the two times for every entry. */
export const UNWANTED_KEYS: ReadonlySet<string> = new Set(['atime', 'ctime', 'comment']);

const SCHILY_XATTR = 'SCHILY.xattr.';
const LIBARCHIVE_XATTR = 'LIBARCHIVE.xattr.';

type Mutable = { -readonly [K in keyof Overrides]: Overrides[K] };

/**
 * The records laid over `base` (the global records in force, or none), the last of a keyword winning. An empty value deletes what
 * `base` had, so that the header block's own field holds again (POSIX pax; Go reads it so too); an empty xattr is an xattr.
 * Throws CORRUPT_TAR; `at` is the header's offset, for that error.
 */
export function applyRecords(base: Overrides, records: readonly PaxRecord[], at: number): Overrides {
  const out: Mutable = { ...base };
  let hasXattrs = false;
  for (const [key, value] of records) {
    if (key.startsWith(SCHILY_XATTR) || key.startsWith(LIBARCHIVE_XATTR)) hasXattrs = true;
    else applyField(out, key, value, at);
  }
  if (hasXattrs) out.xattrs = mergeXattrs(base.xattrs, records);
  return out;
}

/** libarchive writes each xattr in both ways; SCHILY's, raw, is the one that container engines read, so it wins. */
function mergeXattrs(base: Xattrs, records: readonly PaxRecord[]): Xattrs {
  const schily = new Map<ByteString, ByteString>();
  const libarchive = new Map<ByteString, ByteString>();
  for (const [key, value] of records) {
    if (key.startsWith(SCHILY_XATTR)) {
      schily.set(decodeXattrName(key.slice(SCHILY_XATTR.length) as ByteString), value);
    } else if (key.startsWith(LIBARCHIVE_XATTR)) {
      libarchive.set(percentDecode(key.slice(LIBARCHIVE_XATTR.length)), base64Decode(value));
    }
  }
  return [...new Map([...base, ...libarchive, ...schily])]
    .filter(([name]) => name !== '' && !name.includes('\0'))
    .sort(byName);
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function applyField(out: Mutable, key: string, value: ByteString, at: number): void {
  switch (key) {
    case 'path':
    case 'linkpath':
    case 'uname':
    case 'gname':
      if (value.includes('\0')) throw corruptTar(`a PAX ${key} with a NUL`, at);
      out[key] = value === '' ? undefined : value;
      break;
    case 'uid':
    case 'gid':
      out[key] = value.startsWith('-') ? negativeField(key, value, at) : decimalField(key, value, at);
      break;
    case 'size':
      out.size = decimalField(key, value, at);
      break;
    case 'SCHILY.devmajor':
      out.devMajor = decimalField(key, value, at);
      break;
    case 'SCHILY.devminor':
      out.devMinor = decimalField(key, value, at);
      break;
    case 'mtime': {
      const time = value === '' ? undefined : readTime(value);
      if (value !== '' && time === undefined) throw corruptTar('a PAX mtime that is no time', at);
      out.mtime = time?.seconds;
      out.mtimeNanos = time?.nanos ?? 0;
    }
  }
}

function decimalField(key: string, value: string, at: number): number | undefined {
  if (value === '') return undefined;
  const number = readDecimal(value);
  if (Number.isNaN(number)) throw corruptTar(`a PAX ${key} that is no number from 0 to 2^53-1`, at);
  return number;
}

/** Go writes `-1` for an owner that is not to be changed. */
function negativeField(key: string, value: string, at: number): number {
  const magnitude = decimalField(key, value.slice(1), at);
  if (magnitude === undefined) throw corruptTar(`a PAX ${key} that is no number`, at);
  return -magnitude;
}

/** How much of the overrides every later entry inherits, bytes. */
export function overridesBytes(overrides: Overrides): number {
  let bytes = 0;
  for (const key of ['path', 'linkpath', 'uname', 'gname'] as const) bytes += overrides[key]?.length ?? 0;
  for (const [name, value] of overrides.xattrs) bytes += name.length + value.length;
  return bytes;
}

function percentDecode(text: string): ByteString {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  ) as ByteString;
}

function base64Decode(text: string): ByteString {
  return Buffer.from(text, 'base64').toString('latin1') as ByteString;
}
