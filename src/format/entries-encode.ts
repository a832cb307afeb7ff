import { escapeName } from '../escape.js';
import { comparePaths, type Entry } from '../tree/entry.js';
import { encodeBlock, encodeBytes } from './block-encoder.js';
import { ByteWriter } from './byte-writer.js';
import { ChoiceWriter } from './choices.js';
import { beyondLimit, misuse } from './corrupt.js';
import { blocksToNext, ENTRY_TYPES, type Place, TAR_BLOCK } from './entry-columns.js';
import { type EntryPlaces, ExtrasWriter } from './extras-encode.js';
import {
  MAX_BLOCK,
  MAX_BLOCK_ITEMS,
  MAX_BLOCK_PATHS,
  MAX_DEVICE,
  MAX_ENTRIES,
  MAX_EXTRAS,
  MAX_NAMES_BYTES,
  MAX_OWNER_NAME,
  MAX_PATH,
} from './limits.js';
import { isCleanPath, writePaths } from './paths.js';
import { type EncodedBlock, type EncodedStream, STREAM } from './section.js';

/** Decoded bytes that a block of entries aims at: a lookup decodes one or two of them. Measured in docs/format.md. */
const TARGET = 16_384;
const EXTRAS_BLOCK = 16_384;

/** Encodes a layer's entries, sorted by (comparePaths, position), into the streams `entries`, `xattrs` and `extents`. */
export function encodeEntries(entries: readonly Entry[], uncompressedSize: number): EncodedStream[] {
  const extras = new ExtrasWriter();
  const places = new Map<Entry, EntryPlaces>();
  const blocks: EncodedBlock[] = [];
  const out = new ByteWriter(2 * MAX_BLOCK);
  const addBlock = (start: number, end: number): void => {
    out.clear();
    writeEntries(out, entries.slice(start, end), places);
    if (out.length <= MAX_BLOCK || end - start === 1) {
      blocks.push(encodeBlock(out.view(), end - start));
      return;
    }
    const middle = (start + end) >>> 1;
    addBlock(start, middle);
    addBlock(middle, end);
  };
  if (entries.length > MAX_ENTRIES) throw beyondLimit(`a layer has ${entries.length} entries`);
  let names = 0;
  let start = 0;
  let fill = new Fill();
  entries.forEach((entry, i) => {
    checkEntry(entry, entries[i - 1], uncompressedSize);
    names += entry.path.length + entry.link.length;
    if (names > MAX_NAMES_BYTES) throw beyondLimit(`a layer has over ${MAX_NAMES_BYTES} bytes of names`);
    const own = extras.add(entry);
    if (own) places.set(entry, own);
    fill.add(entry, entries[i - 1], own);
    if (i > start && (fill.isOver() || i - start === MAX_BLOCK_ITEMS)) {
      addBlock(start, i);
      start = i;
      fill = new Fill();
      fill.add(entry, entries[i - 1], own);
    }
  });
  if (start < entries.length) addBlock(start, entries.length);
  return [
    { id: STREAM.entries, blocks },
    { id: STREAM.xattrs, blocks: encodeBytes(extras.xattrs.view(), EXTRAS_BLOCK) },
    { id: STREAM.extents, blocks: encodeBytes(extras.extents.view(), EXTRAS_BLOCK) },
  ];
}

/** How full a block of entries is. */
class Fill {
  /** An estimate of the decoded bytes; a block that turns out longer than allowed is halved. */
  #bytes = 0;
  #pathBytes = 0;
  #xattrBytes = 0;
  #extentBytes = 0;
  readonly #xattrs = new Set<number>();

  add(entry: Entry, before: Entry | undefined, places: EntryPlaces | undefined): void {
    const parent = before ? Math.min(entry.path.lastIndexOf('/') + 1, before.path.length) : 0;
    this.#bytes += entry.path.length - parent + entry.link.length + 9;
    this.#pathBytes += entry.path.length;
    if (places?.xattrs && !this.#xattrs.has(places.xattrs.offset)) {
      this.#xattrs.add(places.xattrs.offset);
      this.#xattrBytes += places.xattrs.length;
    }
    this.#extentBytes += places?.extents?.length ?? 0;
  }

  isOver(): boolean {
    return (
      this.#bytes > TARGET ||
      this.#pathBytes > MAX_BLOCK_PATHS ||
      this.#xattrBytes > MAX_EXTRAS ||
      this.#extentBytes > MAX_EXTRAS
    );
  }
}

function checkEntry(entry: Entry, before: Entry | undefined, uncompressedSize: number): void {
  if (entry.path.length > MAX_PATH) throw beyondLimit(`a path has ${entry.path.length} bytes`);
  if (entry.link.length > MAX_PATH) throw beyondLimit(`a link target has ${entry.link.length} bytes`);
  const owner = Math.max(entry.uname.length, entry.gname.length);
  if (owner > MAX_OWNER_NAME) throw beyondLimit(`a user or group name has ${owner} bytes`);
  const wrong = wrongIn(entry, before, uncompressedSize);
  if (wrong !== undefined) throw misuse(`${wrong}: /${escapeName(entry.path)}`);
}

function wrongIn(entry: Entry, before: Entry | undefined, uncompressedSize: number): string | undefined {
  const { type, mode, mtimeNanos, size, link, devMajor, devMinor, extents, position } = entry;
  if (!isCleanPath(entry.path)) return 'a path is not clean';
  if (!ENTRY_TYPES.includes(type)) return 'unknown type';
  if (!(Number.isInteger(mode) && mode >= 0 && mode <= 0o7777)) return 'mode';
  if (!(mtimeNanos >= 0 && mtimeNanos < 1e9)) return 'nanoseconds';
  if (type !== 'file' && (size !== 0 || extents)) return 'data of what is no file';
  if (!isLink(entry) && link !== '') return 'target of what is no link';
  if (!isDeviceNumber(devMajor) || !isDeviceNumber(devMinor)) return 'device number';
  const data = type === 'file' && !extents ? size : 0;
  const isInside = (end: number) => end <= uncompressedSize;
  if (!isInside(position + data)) return "data beyond the layer's end";
  for (const extent of extents ?? []) {
    if (!isInside(extent.offset + extent.length)) return "an extent beyond the layer's end";
  }
  if (!before) return undefined;
  const order = comparePaths(before.path, entry.path);
  return order < 0 || (order === 0 && before.position < position) ? undefined : 'entries are not sorted';
}

function isDeviceNumber(number: number): boolean {
  return Number.isInteger(number) && number >= 0 && number <= MAX_DEVICE;
}

function isLink(entry: Entry): boolean {
  return entry.type === 'symlink' || entry.type === 'hardlink';
}

function writeEntries(out: ByteWriter, entries: readonly Entry[], places: Map<Entry, EntryPlaces>): void {
  writePaths(
    out,
    entries.map((entry) => entry.path),
  );
  writeOwners(out, entries);
  writeTimes(out, entries);
  writePlaces(out, entries);
  for (const entry of entries) if (entry.type === 'file') out.varint(entry.size);
  const links = entries.filter(isLink);
  for (const { link } of links) out.varint(link.length);
  for (const { link } of links) out.byteString(link);
  for (const entry of entries) {
    if (entry.type !== 'char' && entry.type !== 'block') continue;
    out.svarint(entry.devMajor);
    out.svarint(entry.devMinor);
  }
  writeExtras(out, entries, places);
}

/** Type, mode and ownership: few combinations in any image. */
function writeOwners(out: ByteWriter, entries: readonly Entry[]): void {
  const choices = new ChoiceWriter<Entry>();
  for (const entry of entries) {
    const { type, mode, uid, gid, uname, gname } = entry;
    choices.add(`${type} ${mode} ${uid} ${gid} ${uname.length} ${uname}${gname}`, entry);
  }
  out.varint(choices.values.length);
  for (const { type, mode, uid, gid, uname, gname } of choices.values) {
    out.u8(ENTRY_TYPES.indexOf(type));
    out.varint(mode);
    out.svarint(uid);
    out.svarint(gid);
    out.prefixed(uname);
    out.prefixed(gname);
  }
  choices.writeRows(out);
}

/** Files of one package share their time. */
function writeTimes(out: ByteWriter, entries: readonly Entry[]): void {
  const choices = new ChoiceWriter<Entry>();
  for (const entry of entries) choices.add(`${entry.mtime} ${entry.mtimeNanos}`, entry);
  let least = Number.MAX_SAFE_INTEGER;
  let most = Number.MIN_SAFE_INTEGER;
  for (const { mtime } of choices.values) {
    least = Math.min(least, mtime);
    most = Math.max(most, mtime);
  }
  const base = Number.isSafeInteger(most - least) ? least : 0;
  out.varint(choices.values.length);
  out.svarint(base);
  for (const { mtime } of choices.values) out.svarint(mtime - base);
  const anyNanos = choices.values.some((value) => value.mtimeNanos > 0);
  out.u8(anyNanos ? 1 : 0);
  if (anyNanos) for (const { mtimeNanos } of choices.values) out.varint(mtimeNanos);
  choices.writeRows(out);
}

/**
 * Positions: the block's entries are put in tar order, each row telling its rank relative to the row before, and then each
 * position is told relative to where the entry before it in the tar leads to expect it.
 */
function writePlaces(out: ByteWriter, entries: readonly Entry[]): void {
  const order = entries.map((_, i) => i).sort((a, b) => entries[a]!.position - entries[b]!.position);
  const rank = new Uint32Array(entries.length);
  order.forEach((row, place) => {
    rank[row] = place;
  });
  let expected = 0;
  for (const place of rank) {
    out.svarint(place - expected);
    expected = place + 1;
  }
  let block = 0;
  const odd: { place: number; bytes: number }[] = [];
  order.forEach((row, place) => {
    const { position, size, extents } = entries[row]!;
    if (place > 0 && entries[order[place - 1]!]!.position >= position)
      throw misuse(`two entries at ${position}`);
    const here = Math.floor(position / TAR_BLOCK);
    out.svarint(here - block);
    block = here + blocksToNext(extents ? 0 : size);
    if (position % TAR_BLOCK !== 0) odd.push({ place, bytes: position % TAR_BLOCK });
  });
  out.varint(odd.length);
  let next = 0;
  for (const { place, bytes } of odd) {
    out.varint(place - next);
    out.varint(bytes);
    next = place + 1;
  }
}

/** Points into the streams of extended attributes and extents. */
function writeExtras(out: ByteWriter, entries: readonly Entry[], places: Map<Entry, EntryPlaces>): void {
  const choices = new ChoiceWriter<Place | undefined>();
  for (const entry of entries) {
    const place = places.get(entry)?.xattrs;
    choices.add(place ? place.offset : -1, place);
  }
  if (choices.values.length === 1 && !choices.values[0]) {
    out.varint(0);
  } else {
    out.varint(choices.values.length);
    for (const place of choices.values) {
      out.varint(place?.length ?? 0);
      if (place) out.varint(place.offset);
    }
    choices.writeRows(out);
  }
  // The records of one block follow one another, so one offset and their lengths say where all are.
  const sparse = entries.flatMap((entry, row) => {
    const place = places.get(entry)?.extents;
    return place ? [{ place, row }] : [];
  });
  out.varint(sparse.length);
  if (sparse.length > 0) out.varint(sparse[0]!.place.offset);
  let next = 0;
  for (const { place, row } of sparse) {
    out.varint(row - next);
    out.varint(place.length);
    next = row + 1;
  }
}
