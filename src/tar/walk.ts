/**
 * The walk over a layer's tar as it streams past: entries with the offsets of their data, in bounded memory. It reads every form
 * that GNU tar, bsdtar, star and Go write (docs/conformance.md lists them); file data is stepped over, not looked at.
 *
 * Where readers differ, what the container engines do decides (Go's archive/tar, under containerd, Docker and umoci), then GNU tar,
 * then POSIX. Written here and not over tar-stream because that decodes PAX values as UTF-8, which loses binary xattrs and names,
 * passes over global headers that stand alone, and does not know sparse files.
 */
import type { Entry } from '../tree/entry.js';
import { type Built, createEntryBuilder } from './build-entry.js';
import { BLOCK, checksumHolds, createHeaderBlock, dialectOf, isZeroBlock } from './header.js';
import { TAR_LIMITS, type TarLimits } from './limits.js';
import { createMetaReader, type Extras, isMeta } from './meta.js';
import { readNumber } from './number.js';
import {
  createSparseMapReader,
  readOldGnuMap,
  type SparseMap,
  type SparseMapReader,
  toExtents,
} from './sparse.js';
import { createTally } from './tally.js';
import { corruptTar, tarLimit, unsupportedTar } from './tar-error.js';

export interface TarSink {
  entry(entry: Entry): void;
}

export interface TarWalker {
  /**
   * The next bytes of the tar, in chunks of any size, which are not kept. Throws ClipError CORRUPT_TAR, LIMIT or UNSUPPORTED; after
   * that (or after the sink threw) every call throws the same.
   */
  push(chunk: Uint8Array): void;
  /** The stream is over. Throws CORRUPT_TAR where it ends inside an entry; a missing end-of-archive mark is no error. */
  end(): void;
}

/** What the next block is. */
type Expect = 'header' | 'meta' | 'extension' | 'map' | 'second zero block' | 'nothing';

const OLD_SPARSE = 0x53;
const MULTI_VOLUME = 0x4d;
const VOLUME_LABEL = 0x56;

export function createTarWalker(sink: TarSink, limits: Partial<TarLimits> = {}): TarWalker {
  const bounds: TarLimits = { ...TAR_LIMITS, ...limits };
  const header = createHeaderBlock();
  const block = header.bytes;
  const meta = createMetaReader(bounds);
  const builder = createEntryBuilder(bounds);
  const tally = createTally(bounds);

  let expect: Expect = 'header';
  /** Offset in the tar just after what was consumed. */
  let offset = 0;
  /** Bytes of `block` that are filled. */
  let filled = 0;
  /** Bytes of data and padding still to step over, and how many of them are padding. */
  let skip = 0;
  let padding = 0;
  let entries = 0;
  /** The sparse file whose map is being read. */
  let sparse: { built: Built; size: number; map: SparseMap; reader: SparseMapReader | undefined; at: number };
  let failure: { error: unknown } | undefined;

  function consume(bytes: Uint8Array): void {
    // A plain view, since Buffer's own subarray, once an entry, is several times slower.
    const chunk = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (at < chunk.length && expect !== 'nothing') {
      const left = chunk.length - at;
      if (skip > 0) {
        const step = Math.min(skip, left);
        skip -= step;
        offset += step;
        at += step;
        continue;
      }
      const part = Math.min(BLOCK - filled, left);
      block.set(chunk.subarray(at, at + part), filled);
      filled += part;
      offset += part;
      at += part;
      if (filled === BLOCK) {
        filled = 0;
        onBlock();
      }
    }
  }

  function onBlock(): void {
    switch (expect) {
      case 'header':
        onHeader(offset - BLOCK);
        break;
      case 'meta':
        if (meta.block(block)) expect = 'header';
        break;
      case 'extension':
        onExtension();
        break;
      case 'map':
        onMap();
        break;
      case 'second zero block':
        // Go refuses what follows a lone zero block, GNU tar leaves it unread with a warning; either way no entry may hide there.
        if (!isZeroBlock(header)) throw corruptTar('data after a single zero block', offset - BLOCK);
        expect = 'nothing';
    }
  }

  function onHeader(at: number): void {
    if (isZeroBlock(header)) {
      expect = 'second zero block';
      return;
    }
    if (!checksumHolds(header)) {
      throw corruptTar(at === 0 ? 'not a tar stream' : 'a header whose checksum does not hold', at);
    }
    const flag = block[156]!;
    if (isMeta(flag)) {
      if (!meta.begin(flag, headerSize(at), at)) expect = 'meta';
    } else if (flag === VOLUME_LABEL) {
      skipData(headerSize(at));
    } else if (flag === MULTI_VOLUME) {
      throw unsupportedTar('a file continued from another volume', at);
    } else onEntry(flag, meta.take(), at);
  }

  function headerSize(at: number): number {
    const size = readNumber(block, 124, 12);
    if (!(size >= 0)) throw corruptTar('a header with a bad size', at);
    return size;
  }

  function onEntry(flag: number, extras: Extras, at: number): void {
    if (++entries > bounds.entries) throw tarLimit('too many entries', at);
    const built = builder.build(block, extras, at);
    if (flag === OLD_SPARSE) {
      if (dialectOf(block) !== 'gnu') throw unsupportedTar('a sparse file in a form that is not GNU', at);
      const size = readNumber(block, 483, 12);
      if (!(size >= 0)) throw corruptTar('a header with a bad size', at);
      sparse = { built, size, map: [], reader: undefined, at };
      const more = readOldGnuMap(block, 'header', { map: sparse.map, limit: bounds.sparseEntries, at });
      if (more) expect = 'extension';
      else emitSparse(offset, built.stored);
    } else if (extras.sparse && built.entry.type === 'file') {
      const { map, size = built.stored } = extras.sparse;
      const reader = map ? undefined : createSparseMapReader(bounds.sparseEntries);
      sparse = { built, size, map: map ?? reader!.map, reader, at };
      if (reader) expect = 'map';
      else emitSparse(offset, built.stored);
    } else {
      give(built.entry, at);
      skipData(built.stored);
    }
  }

  function give(entry: Entry, at: number): void {
    tally.add(entry, at);
    sink.entry(entry);
  }

  function onExtension(): void {
    const more = readOldGnuMap(block, 'extension', {
      map: sparse.map,
      limit: bounds.sparseEntries,
      at: sparse.at,
    });
    if (more) return;
    sparse.built.entry.position = offset;
    emitSparse(offset, sparse.built.stored);
  }

  function onMap(): void {
    const read = offset - sparse.built.entry.position;
    if (read > sparse.built.stored) throw corruptTar('a sparse map longer than its file', sparse.at);
    if (sparse.reader!.block(block, sparse.at)) emitSparse(offset, sparse.built.stored - read);
  }

  /** `stored` bytes of the file's runs begin at `dataStart`. */
  function emitSparse(dataStart: number, stored: number): void {
    const { built, size, map, at } = sparse;
    built.entry.extents = toExtents(map, { size, stored, dataStart }, at);
    built.entry.size = size;
    expect = 'header';
    give(built.entry, at);
    skipData(stored);
  }

  function skipData(size: number): void {
    padding = (BLOCK - (size % BLOCK)) % BLOCK;
    skip = size + padding;
    if (!Number.isSafeInteger(offset + skip)) throw corruptTar('an entry too large', offset);
  }

  function finish(): void {
    // The padding after the last file may be missing, as Go allows: all data is there.
    if (skip > padding) {
      throw corruptTar(`the tar ends in the middle of a file, ${skip - padding} bytes early`, offset);
    }
    if (expect === 'nothing' || skip > 0) return;
    if (expect === 'meta' || expect === 'extension' || expect === 'map') {
      throw corruptTar('the tar ends in the middle of an extended header', offset);
    }
    block.fill(0, filled);
    if (!isZeroBlock(header)) {
      const what = offset === filled ? 'not a tar stream' : 'the tar ends in the middle of a header';
      throw corruptTar(what, offset - filled);
    }
    if (meta.pending && expect === 'header')
      throw corruptTar('the tar ends after an extended header', offset);
  }

  function guarded(work: () => void): void {
    if (failure) throw failure.error;
    try {
      work();
    } catch (error) {
      failure = { error };
      throw error;
    }
  }

  return {
    push: (chunk) => guarded(() => consume(chunk)),
    end: () => guarded(finish),
  };
}
