/**
 * Builds tars byte by byte for tests, wrong ones too: any field raw, PAX records as bytes, GNU long names, all sparse forms, bad
 * checksums. Strings are byte strings (one character per byte). A tar is the concatenation of its members and `endOfArchive`.
 */
import { type ByteString, byteStringToBytes } from '../../src/bytes.js';
import { encodePax } from '../../src/tar/pax.js';

/** A number is written as octal (or base 256 where it does not fit); a string is written as it is. */
type Numeric = number | string;

export interface MemberFields {
  name?: string;
  mode?: Numeric;
  uid?: Numeric;
  gid?: Numeric;
  /** Default: the length of the data. */
  size?: Numeric;
  mtime?: Numeric;
  /** Default: the right one. */
  checksum?: Numeric;
  /** One character; default '0'. */
  type?: string;
  link?: string;
  /** Magic and version, 8 bytes: `MAGIC.ustar` (default), `MAGIC.gnu`, `MAGIC.v7`. */
  magic?: string;
  uname?: string;
  gname?: string;
  devMajor?: Numeric;
  devMinor?: Numeric;
  prefix?: string;
  /** Bytes to write at offsets of the block, last, before the checksum is taken. */
  raw?: readonly (readonly [offset: number, bytes: string])[];
}

export const MAGIC = { ustar: 'ustar\x0000', gnu: 'ustar  \0', v7: '\0\0\0\0\0\0\0\0' } as const;

const bytesOf = (text: string) => byteStringToBytes(text as ByteString);

/** Two's complement, big-endian, first bit set. */
export function base256(value: number | bigint, length: number): string {
  let rest = BigInt.asUintN(length * 8, BigInt(value));
  const bytes = Buffer.alloc(length);
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  bytes[0] = bytes[0]! | 0x80;
  return bytes.toString('latin1');
}

function numeric(value: Numeric, length: number): string {
  if (typeof value === 'string') return value;
  const octal = value < 0 ? '' : value.toString(8).padStart(length - 1, '0');
  return octal.length === length - 1 ? `${octal}\0` : base256(value, length);
}

export function header(fields: MemberFields, dataLength = 0): Buffer {
  const block = Buffer.alloc(512);
  const put = (at: number, length: number, text: string) =>
    block.set(bytesOf(text).subarray(0, Math.min(length, text.length)), at);
  const put8 = (at: number, value: Numeric) => put(at, 8, numeric(value, 8));
  const put12 = (at: number, value: Numeric) => put(at, 12, numeric(value, 12));
  put(0, 100, fields.name ?? 'file');
  put8(100, fields.mode ?? 0o644);
  put8(108, fields.uid ?? 0);
  put8(116, fields.gid ?? 0);
  put12(124, fields.size ?? dataLength);
  put12(136, fields.mtime ?? 0);
  put(156, 1, fields.type ?? '0');
  put(157, 100, fields.link ?? '');
  put(257, 8, fields.magic ?? MAGIC.ustar);
  put(265, 32, fields.uname ?? '');
  put(297, 32, fields.gname ?? '');
  if (fields.devMajor !== undefined) put8(329, fields.devMajor);
  if (fields.devMinor !== undefined) put8(337, fields.devMinor);
  put(345, 155, fields.prefix ?? '');
  for (const [at, bytes] of fields.raw ?? []) put(at, 512 - at, bytes);
  if (fields.checksum === undefined) sign(block);
  else put8(148, fields.checksum);
  return block;
}

/** Writes the right checksum into a block, after changes. */
export function sign(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

export function pad(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

export function member(fields: MemberFields, data: Buffer | string = ''): Buffer {
  const bytes = typeof data === 'string' ? bytesOf(data) : data;
  return Buffer.concat([header(fields, bytes.length), pad(bytes)]);
}

/** A PAX header from records, or from a body that may be wrong. Type 'g' is a global one, 'X' Solaris'. */
export function pax(
  records: readonly (readonly [key: string, value: string])[] | Buffer,
  type: 'x' | 'g' | 'X' = 'x',
): Buffer {
  const body = Buffer.isBuffer(records)
    ? records
    : encodePax(records as readonly (readonly [ByteString, ByteString])[]);
  return member({ name: 'PaxHeaders/file', type }, body);
}

/** GNU long name (L) or long link (K). */
export function gnuLong(type: 'L' | 'K', name: string): Buffer {
  return member({ name: '././@LongLink', type, magic: MAGIC.gnu }, `${name}\0`);
}

export const endOfArchive: Buffer = Buffer.alloc(1024);

export function tar(...members: readonly Buffer[]): Buffer {
  return Buffer.concat([...members, endOfArchive]);
}

export type SparseForm = 'old' | '0.0' | '0.1' | '1.0';

export interface SparseFile {
  name: string;
  /** Logical size. */
  size: number;
  /** Ascending runs. */
  runs: readonly (readonly [logical: number, data: Buffer])[];
}

/** One sparse file in one of the four forms that GNU tar writes. */
export function sparseMember(form: SparseForm, file: SparseFile, fields: MemberFields = {}): Buffer {
  const data = Buffer.concat(file.runs.map(([, bytes]) => bytes));
  const map = file.runs.map(([at, bytes]) => [at, bytes.length] as const);
  if (form === 'old') return oldSparse(file, map, data, fields);
  const numbers = map.flat();
  if (form === '1.0') {
    const text = pad(bytesOf(`${[map.length, ...numbers].join('\n')}\n`));
    const records = [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
      ['GNU.sparse.name', file.name],
      ['GNU.sparse.realsize', String(file.size)],
    ] as const;
    const body = Buffer.concat([text, data]);
    return Buffer.concat([pax(records), member({ ...fields, name: 'GNUSparseFile.1/x' }, body)]);
  }
  const runs =
    form === '0.0'
      ? map.flatMap(([at, length]) => [
          ['GNU.sparse.offset', String(at)] as const,
          ['GNU.sparse.numbytes', String(length)] as const,
        ])
      : [['GNU.sparse.name', file.name] as const, ['GNU.sparse.map', numbers.join(',')] as const];
  const records = [
    ['GNU.sparse.size', String(file.size)] as const,
    ['GNU.sparse.numblocks', String(map.length)] as const,
    ...runs,
  ];
  const name = form === '0.0' ? file.name : 'GNUSparseFile.1/x';
  return Buffer.concat([pax(records), member({ ...fields, name }, data)]);
}

function oldSparse(
  file: SparseFile,
  map: readonly (readonly [number, number])[],
  data: Buffer,
  fields: MemberFields,
): Buffer {
  const entry = ([at, length]: readonly [number, number]) => numeric(at, 12) + numeric(length, 12);
  const raw: [number, string][] = [
    [386, map.slice(0, 4).map(entry).join('')],
    [482, map.length > 4 ? '\x01' : '\0'],
    [483, numeric(file.size, 12)],
  ];
  const blocks: Buffer[] = [];
  for (let i = 4; i < map.length; i += 21) {
    const block = Buffer.alloc(512);
    block.set(
      bytesOf(
        map
          .slice(i, i + 21)
          .map(entry)
          .join(''),
      ),
    );
    if (i + 21 < map.length) block[504] = 1;
    blocks.push(block);
  }
  const head = header({ ...fields, name: file.name, type: 'S', magic: MAGIC.gnu, raw }, data.length);
  return Buffer.concat([head, ...blocks, pad(data)]);
}
