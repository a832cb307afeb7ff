import type { ByteString } from '../bytes.js';
import type { Entry, EntryType, MergeEntry } from '../tree/entry.js';
import type { Extents } from '../tree/extents.js';
import { ByteReader } from './byte-reader.js';
import { readChoices } from './choices.js';
import { blocksToNext, ENTRY_TYPES, type Place, TAR_BLOCK } from './entry-columns.js';
import { MAX_DEVICE, MAX_EXTRAS, MAX_OWNER_NAME, MAX_PATH } from './limits.js';
import { type Paths, readPaths } from './paths.js';

/** One block of a layer's entries, decoded into columns; `row` is the entry's place in the block. */
export interface EntryBlock {
  /** Ordinal of its first entry in the layer. */
  readonly first: number;
  readonly count: number;
  readonly paths: Paths;
  /** Where the row's record in the stream `xattrs` lies (the same object for rows that share it), if any. */
  xattrsAt(row: number): Place | undefined;
  /** Where the row's record in the stream `extents` lies, if any. */
  extentsAt(row: number): Place | undefined;
  /** Where all of the block's records in that stream lie, one behind the other. */
  allExtentsAt(): Place;
  mergeEntry(row: number): MergeEntry;
  /** The entry; `extras` are what the two places above lead to. */
  entry(row: number, extras?: EntryExtras): Entry;
}

export interface EntryExtras {
  xattrs?: Entry['xattrs'] | undefined;
  extents?: Extents | undefined;
}

interface Owner {
  type: EntryType;
  mode: number;
  uid: number;
  gid: number;
  uname: ByteString;
  gname: ByteString;
}

const NO_XATTRS: Entry['xattrs'] = [];
const NO_BYTES = '' as ByteString;

/**
 * Decodes a block of `count` entries from number `first` on, of a layer with `uncompressedSize` bytes. Every field is checked: the paths
 * here, the other columns when one of them is first asked for, since most blocks that a lookup passes through are searched for a path
 * alone.
 */
export function decodeEntries(
  bytes: Uint8Array,
  of: { first: number; count: number; uncompressedSize: number; where: string },
): EntryBlock {
  const { first, count, uncompressedSize, where } = of;
  const reader = new ByteReader(bytes, where);
  // Each entry takes at least a byte in either of the first two columns, so the arrays below are bounded by the block.
  if (count * 2 > bytes.length) reader.fail(`${count} entries announced`);
  const paths = readPaths(reader, count, { allowEqual: true });
  const rest = reader.position;
  let columns: Columns | undefined;
  const all = (): Columns => {
    if (columns) return columns;
    reader.position = rest;
    columns = readColumns(reader, paths, uncompressedSize);
    paths.decodeAll();
    return columns;
  };

  return {
    first,
    count,
    paths,
    xattrsAt: (row) => {
      const { xattrs } = all();
      return xattrs?.values[xattrs.rows[row]!];
    },
    extentsAt: (row) => all().sparse.rows.get(row),
    allExtentsAt: () => all().sparse.all,
    mergeEntry(row) {
      const { owners, owner, links, positions } = all();
      return {
        path: paths.at(row),
        type: owners[owner[row]!]!.type,
        link: links.get(row) ?? NO_BYTES,
        position: positions[row]!,
      };
    },
    entry(row, extras) {
      const { owners, owner, times, devices, sizes, links, positions } = all();
      const { type, mode, uid, gid, uname, gname } = owners[owner[row]!]!;
      const time = times.rows[row]!;
      const device = devices.get(row);
      const entry: Entry = {
        path: paths.at(row),
        type,
        mode,
        uid,
        gid,
        uname,
        gname,
        mtime: times.seconds[time]!,
        mtimeNanos: times.nanos[time]!,
        size: sizes[row]!,
        link: links.get(row) ?? NO_BYTES,
        devMajor: device?.[0] ?? 0,
        devMinor: device?.[1] ?? 0,
        xattrs: extras?.xattrs ?? NO_XATTRS,
        position: positions[row]!,
      };
      if (extras?.extents) entry.extents = extras.extents;
      return entry;
    },
  };
}

interface Columns {
  owners: readonly Owner[];
  owner: Uint16Array;
  times: ReturnType<typeof readTimes>;
  sizes: Float64Array;
  links: ReadonlyMap<number, ByteString>;
  devices: ReturnType<typeof readDevices>;
  xattrs: ReturnType<typeof readXattrPlaces>;
  sparse: SparseRows;
  positions: Float64Array;
}

/** All that follows the paths. */
function readColumns(reader: ByteReader, paths: Paths, uncompressedSize: number): Columns {
  const { count } = paths;
  const owners = readOwners(reader);
  const owner = readChoices(reader, count, owners.length);
  const times = readTimes(reader, count);
  const ranks = readRanks(reader, count);
  const places = readPlaceColumns(reader, count);
  const sizes = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    if (owners[owner[row]!]!.type === 'file') sizes[row] = reader.varint();
  }
  const links = readLinks(reader, (row) => isLink(owners[owner[row]!]!.type), count);
  const devices = readDevices(reader, owners, owner);
  const xattrs = readXattrPlaces(reader, count);
  const sparse = readSparse(reader, count);
  reader.done();
  for (const row of sparse.rows.keys()) {
    if (owners[owner[row]!]!.type !== 'file') reader.fail('extents of what is not a file');
  }
  const positions = placeAll({ reader, ranks, places, sizes, sparse: sparse.rows, uncompressedSize });
  for (const row of paths.repeats) {
    if (positions[row]! < positions[row - 1]!) reader.fail('entries of one path are not in order');
  }
  return { owners, owner, times, sizes, links, devices, xattrs, sparse, positions };
}

function isLink(type: EntryType): boolean {
  return type === 'symlink' || type === 'hardlink';
}

function readOwners(reader: ByteReader): Owner[] {
  const owners: Owner[] = [];
  const count = reader.count(6, 'number of owners');
  for (let i = 0; i < count; i++) {
    const type = ENTRY_TYPES[reader.u8()];
    if (type === undefined) return reader.fail('unknown type of entry');
    const mode = reader.upTo(0o7777, 'mode');
    const uid = reader.svarint();
    const gid = reader.svarint();
    const uname = reader.prefixed(MAX_OWNER_NAME, 'user name');
    const gname = reader.prefixed(MAX_OWNER_NAME, 'group name');
    owners.push({ type, mode, uid, gid, uname, gname });
  }
  return owners;
}

function readTimes(reader: ByteReader, count: number) {
  const values = reader.count(1, 'number of times');
  const base = reader.svarint();
  const seconds = new Float64Array(values);
  for (let i = 0; i < values; i++) {
    seconds[i] = base + reader.svarint();
    if (!Number.isSafeInteger(seconds[i])) reader.fail('time exceeds 2^53-1');
  }
  const nanos = new Uint32Array(values);
  const anyNanos = reader.u8();
  if (anyNanos > 1) reader.fail('flag is neither 0 nor 1');
  if (anyNanos === 1) for (let i = 0; i < values; i++) nanos[i] = reader.upTo(999_999_999, 'nanoseconds');
  return { seconds, nanos, rows: readChoices(reader, count, values) };
}

/** Row of each place in tar order. */
function readRanks(reader: ByteReader, count: number): Int32Array {
  const rows = new Int32Array(count).fill(-1);
  let expected = 0;
  for (let row = 0; row < count; row++) {
    const place = expected + reader.svarint();
    if (rows[place] !== -1) reader.fail('places in the tar are no permutation');
    rows[place] = row;
    expected = place + 1;
  }
  return rows;
}

interface PlaceColumns {
  /** By place in tar order: distance in tar blocks from where the entry before leads to expect it. */
  gaps: Float64Array;
  /** By place: bytes beyond a multiple of 512. */
  odd: Map<number, number>;
}

function readPlaceColumns(reader: ByteReader, count: number): PlaceColumns {
  const gaps = new Float64Array(count);
  for (let place = 0; place < count; place++) gaps[place] = reader.svarint();
  const odd = new Map<number, number>();
  const oddCount = reader.count(2, 'number of odd positions');
  let next = 0;
  for (let i = 0; i < oddCount; i++) {
    next += reader.upTo(count - 1 - next, 'place of an odd position');
    const bytes = reader.upTo(TAR_BLOCK - 1, 'odd bytes');
    if (bytes === 0) reader.fail('an odd position is even');
    odd.set(next++, bytes);
  }
  return { gaps, odd };
}

function placeAll(of: {
  reader: ByteReader;
  ranks: Int32Array;
  places: PlaceColumns;
  sizes: Float64Array;
  sparse: Map<number, Place>;
  uncompressedSize: number;
}): Float64Array {
  const { reader, ranks, places, sizes, sparse, uncompressedSize } = of;
  const positions = new Float64Array(ranks.length);
  let block = 0;
  let before = -1;
  for (let place = 0; place < ranks.length; place++) {
    const row = ranks[place]!;
    const extents = sparse.has(row);
    const here = block + places.gaps[place]!;
    const position = here * TAR_BLOCK + (places.odd.get(place) ?? 0);
    const data = extents ? 0 : sizes[row]!;
    // Written so that it also refuses what is no safe integer: such a sum exceeds every uncompressedSize.
    if (!(position > before && position + data <= uncompressedSize))
      reader.fail('an entry lies outside the layer');
    positions[row] = position;
    before = position;
    block = here + blocksToNext(data);
  }
  return positions;
}

function readLinks(
  reader: ByteReader,
  has: (row: number) => boolean,
  count: number,
): Map<number, ByteString> {
  const lengths: [row: number, length: number][] = [];
  for (let row = 0; row < count; row++) {
    if (has(row)) lengths.push([row, reader.upTo(MAX_PATH, 'length of a link target')]);
  }
  return new Map(lengths.map(([row, length]) => [row, reader.byteString(length)]));
}

function readDevices(reader: ByteReader, owners: readonly Owner[], owner: Uint16Array) {
  const devices = new Map<number, readonly [major: number, minor: number]>();
  if (!owners.some(({ type }) => type === 'char' || type === 'block')) return devices;
  for (let row = 0; row < owner.length; row++) {
    const { type } = owners[owner[row]!]!;
    if (type === 'char' || type === 'block') devices.set(row, [readDevice(reader), readDevice(reader)]);
  }
  return devices;
}

function readDevice(reader: ByteReader): number {
  const number = reader.svarint();
  if (!(number >= 0 && number <= MAX_DEVICE)) reader.fail(`device number ${number}`);
  return number;
}

function readXattrPlaces(reader: ByteReader, count: number) {
  const valueCount = reader.count(1, 'number of attribute sets');
  if (valueCount === 0) return undefined;
  const values: (Place | undefined)[] = [];
  let total = 0;
  for (let i = 0; i < valueCount; i++) {
    const length = reader.upTo(MAX_EXTRAS - total, 'bytes of attributes');
    total += length;
    values.push(length === 0 ? undefined : { length, offset: reader.varint() });
  }
  return { values, rows: readChoices(reader, count, valueCount) };
}

interface SparseRows {
  rows: Map<number, Place>;
  all: Place;
}

function readSparse(reader: ByteReader, count: number): SparseRows {
  const rows = new Map<number, Place>();
  const sparseCount = reader.count(2, 'number of sparse files');
  if (sparseCount === 0) return { rows, all: { offset: 0, length: 0 } };
  const begin = reader.varint();
  let total = 0;
  let next = 0;
  for (let i = 0; i < sparseCount; i++) {
    next += reader.upTo(count - 1 - next, 'row of a sparse file');
    const length = reader.upTo(MAX_EXTRAS - total, 'bytes of extents');
    rows.set(next++, { offset: begin + total, length });
    total += length;
  }
  return { rows, all: { offset: begin, length: total } };
}
