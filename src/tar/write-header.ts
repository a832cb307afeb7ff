/**
 * Headers of a tar that is written: one ustar header block (POSIX.1-2017 pax, 'ustar Interchange Format') for each member, and
 * ahead of it a PAX extended header for what the block cannot hold exactly. Names are written as the bytes they are.
 *
 * tar-stream's pack is not used: it turns mode 0 into 0644, uid 262,144 and up into another one, a time after 2038 into an invalid
 * field, binary attributes and names into UTF-8, and takes 11 µs a member where this takes 1 (docs/cli.md, "export").
 */
import type { ByteString } from '../bytes.js';
import type { Entry, EntryType } from '../tree/entry.js';
import { BLOCK } from './header.js';
import { encodePax, encodeXattrName, type PaxRecord } from './pax.js';

const TYPE_FLAGS: Record<EntryType, string> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

export interface TarMember {
  /** As it goes into the tar: relative, a directory's with a slash at the end. */
  name: ByteString;
  type: EntryType;
  /** Owner, mode, time and attributes. */
  entry: Entry;
  /** Target of a symbolic or hard link; else ''. */
  link: ByteString;
  /** Bytes of data that follow; 0 for all that is no file. */
  size: number;
  /** Records that go before all others. */
  extra?: readonly PaxRecord[];
}

/** Largest numbers of the octal fields. */
const MAX_7 = 0o7777777;
const MAX_11 = 0o77777777777;

/** The blocks ahead of a member's data. */
export function encodeTarHeader(member: TarMember): Buffer {
  const records = paxRecords(member);
  if (records.length === 0) return headerBlock(member);
  const body = encodePax(records);
  const padded = Buffer.alloc(BLOCK + roundUp(body.length));
  const paxEntry = { ...PLAIN, mtime: clamp(member.entry.mtime, MAX_11) };
  writeBlock(padded, {
    name: PAX_NAME,
    flag: 'x',
    link: '' as ByteString,
    size: body.length,
    entry: paxEntry,
  });
  body.copy(padded, BLOCK);
  return Buffer.concat([padded, headerBlock(member)]);
}

/** Bytes of zeros that follow `size` bytes of data. */
export function paddingOf(size: number): number {
  return roundUp(size) - size;
}

function roundUp(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

const PAX_NAME = 'PaxHeaders/member' as ByteString;
const PLAIN = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  uname: '' as ByteString,
  gname: '' as ByteString,
  devMajor: 0,
  devMinor: 0,
};

type BlockEntry = Pick<Entry, keyof typeof PLAIN | 'mtime'>;

function headerBlock({ name, type, entry, link, size }: TarMember): Buffer {
  const block = Buffer.alloc(BLOCK);
  writeBlock(block, { name, flag: TYPE_FLAGS[type], link, size, entry });
  return block;
}

function writeBlock(
  block: Buffer,
  of: { name: ByteString; flag: string; link: ByteString; size: number; entry: BlockEntry },
): void {
  const { name, flag, link, size, entry } = of;
  const [prefix, rest] = splitName(name) ?? ['', name.slice(0, 100)];
  block.write(rest, 0, 100, 'latin1');
  octal(block, 100, 7, entry.mode & 0o7777);
  octal(block, 108, 7, clamp(entry.uid, MAX_7));
  octal(block, 116, 7, clamp(entry.gid, MAX_7));
  octal(block, 124, 11, clamp(size, MAX_11));
  octal(block, 136, 11, clamp(entry.mtime, MAX_11));
  block.write(flag, 156, 1, 'latin1');
  block.write(link, 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 8, 'latin1');
  block.write(entry.uname, 265, 31, 'latin1');
  block.write(entry.gname, 297, 31, 'latin1');
  deviceNumber(block, 329, entry.devMajor);
  deviceNumber(block, 337, entry.devMinor);
  block.write(prefix, 345, 155, 'latin1');
  // The sum is taken with spaces in its own place.
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) sum += block[i]!;
  octal(block, 148, 6, sum);
  block[155] = 0x20;
}

function octal(block: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(rest / 8);
    block[i] = 0x30 + (rest - next * 8);
    rest = next;
  }
}

/** Too large for octal, it is written in base 256: no PAX record for it is read by GNU tar and Go. */
function deviceNumber(block: Buffer, at: number, value: number): void {
  if (value <= MAX_7) octal(block, at, 7, clamp(value, MAX_7));
  else {
    // 53 bits at most, where Node writes 48 at once.
    block[at] = 0x80;
    block[at + 1] = Math.floor(value / 2 ** 48);
    block.writeUIntBE(value % 2 ** 48, at + 2, 6);
  }
}

/** A value that a reader without PAX can live with. */
function clamp(value: number, largest: number): number {
  return Math.min(Math.max(value, 0), largest);
}

/** The name as prefix and rest (ustar), or undefined if it does not fit. A slash stands between them, and ends neither. */
function splitName(name: ByteString): [prefix: string, rest: string] | undefined {
  if (name.length <= 100) return ['', name];
  if (name.length > 256) return undefined;
  const slash = name.indexOf('/', name.length - 101);
  if (slash <= 0 || slash > 155 || slash === name.length - 1) return undefined;
  return [name.slice(0, slash), name.slice(slash + 1)];
}

/** What the block cannot hold. */
function paxRecords({ name, entry, link, size, extra = [] }: TarMember): PaxRecord[] {
  const records: PaxRecord[] = [...extra];
  const add = (key: string, value: string) => records.push([key as ByteString, value as ByteString]);
  // Values are UTF-8 unless this says that they are not (POSIX.1-2017 pax, hdrcharset); it holds for those that follow.
  const texts: [string, ByteString][] = [];
  if (!splitName(name) && !extra.some(([key]) => key === SPARSE_NAME)) texts.push(['path', name]);
  if (link.length > 100) texts.push(['linkpath', link]);
  if (entry.uname.length > 31) texts.push(['uname', entry.uname]);
  if (entry.gname.length > 31) texts.push(['gname', entry.gname]);
  if (texts.some(([, text]) => !isUtf8(text))) add('hdrcharset', 'BINARY');
  for (const [key, text] of texts) add(key, text);
  if (size > MAX_11) add('size', String(size));
  if (entry.uid < 0 || entry.uid > MAX_7) add('uid', String(entry.uid));
  if (entry.gid < 0 || entry.gid > MAX_7) add('gid', String(entry.gid));
  if (entry.mtimeNanos !== 0 || entry.mtime < 0 || entry.mtime > MAX_11) add('mtime', decimalTime(entry));
  for (const [key, value] of entry.xattrs) add(`SCHILY.xattr.${encodeXattrName(key)}`, value);
  return records;
}

export const SPARSE_NAME = 'GNU.sparse.name' as ByteString;

function isUtf8(text: ByteString): boolean {
  return (
    !/[\x80-\xff]/.test(text) ||
    Buffer.from(Buffer.from(text, 'latin1').toString('utf8')).equals(Buffer.from(text, 'latin1'))
  );
}

/** Seconds with a fraction; `mtime` is rounded down, so before 1970 the fraction counts towards zero. */
function decimalTime({ mtime, mtimeNanos }: Entry): string {
  if (mtimeNanos === 0) return String(mtime);
  const negative = mtime < 0;
  const whole = negative ? -(mtime + 1) : mtime;
  const nanos = negative ? 1e9 - mtimeNanos : mtimeNanos;
  const fraction = String(nanos).padStart(9, '0').replace(/0+$/, '');
  return `${negative ? '-' : ''}${whole}.${fraction}`;
}
