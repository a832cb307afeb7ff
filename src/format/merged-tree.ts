import type { ByteString } from '../bytes.js';
import { comparePaths, type Entry } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import { NodeBatch } from '../tree/node-batch.js';
import { ByteReader } from './byte-reader.js';
import { corruptIndex } from './corrupt.js';
import type { EntryBlock } from './entries-decode.js';
import type { LayerSection } from './layer-section.js';
import { decodeMerge, type MergeBlock } from './merge-decode.js';
import { BlockRun } from './path-run.js';
import { Paths, readPaths } from './paths.js';
import { STREAM, type Stream } from './section.js';
import type { SectionReader } from './section-reader.js';

/** A node's place: block of the merge, row in it. A row equal to the block's count stands for the next block's first. */
interface Place {
  index: number;
  block: MergeBlock;
  row: number;
}

/** Of a walk or a listing. Each node may keep a block of paths in memory that nothing else needs. */
const BATCH = { nodes: 512, bytes: 1_048_576 };

/** Greater than every path below `path` and less than every other path after it: no byte is as great as its last character. */
function endOf(path: string): string {
  return `${path}/\u0100`;
}

/** The merged tree of an image section: looks up, lists and walks, decoding only the blocks that it needs. */
export class MergedTree {
  readonly #section: SectionReader;
  readonly #keys: Stream;
  readonly #merge: Stream;
  readonly #entryCounts: readonly number[];
  readonly #layer: (layer: number) => LayerSection | Promise<LayerSection>;

  constructor(
    section: SectionReader,
    of: { entryCounts: readonly number[]; layer: (layer: number) => LayerSection | Promise<LayerSection> },
  ) {
    this.#section = section;
    this.#entryCounts = of.entryCounts;
    this.#layer = of.layer;
    const keys = section.stream(STREAM.keys);
    const merge = section.stream(STREAM.merge);
    if (!keys || !merge || keys.firstItem[keys.count] !== merge.count) {
      throw corruptIndex(section.where, 'its keys do not fit its merged tree');
    }
    this.#keys = keys;
    this.#merge = merge;
  }

  get nodeCount(): number {
    return this.#merge.firstItem[this.#merge.count]!;
  }

  async lookup(path: ByteString): Promise<Node | undefined> {
    const place = await this.#seek(path);
    if (!place) return undefined;
    const found = this.#path(place.block, place.row);
    if ((typeof found === 'string' ? found : await found) !== path) return undefined;
    return this.#node(place);
  }

  async *children(path: ByteString): AsyncGenerator<Node[], void, undefined> {
    const prefix = path === '' ? '' : `${path}/`;
    let place = await this.#below(path);
    const batch = new NodeBatch(BATCH);
    let block = place?.index;
    while (place) {
      const node: Node = await this.#node(place);
      if (!node.path.startsWith(prefix)) break;
      const slash = node.path.indexOf('/', prefix.length);
      // A node without its parent is not what a merge yields; it is passed over as the directory would be.
      if (slash < 0) batch.add(node);
      place = await this.#skip(place, slash < 0 ? node.path : node.path.slice(0, slash));
      if (place && place.index === block && !batch.isFull) continue;
      // Also where it is empty, so that who waits may think of something else.
      yield batch.take();
      block = place?.index;
    }
    yield batch.take();
  }

  async *walk(path: ByteString): AsyncGenerator<Node[], void, undefined> {
    const end = path === '' ? undefined : endOf(path);
    const batch = new NodeBatch(BATCH);
    let place = await this.#seek(path);
    let before: ByteString | undefined;
    while (place) {
      const { index, block } = place;
      for (let row = place.row; row < block.count; row++) {
        const making = this.#node({ index, block, row });
        const node = making instanceof Promise ? await making : making;
        if (before !== undefined && comparePaths(before, node.path) >= 0) throw this.#disorder(index);
        if (end !== undefined && comparePaths(node.path, end) > 0) {
          yield batch.take();
          return;
        }
        before = node.path;
        batch.add(node);
        if (batch.isFull) yield batch.take();
      }
      yield batch.take();
      place = await this.#firstAfter(index);
    }
  }

  /** No entry is decoded for them, and where they follow one another in a layer no path either. */
  async *pathsBelow(path: ByteString): AsyncGenerator<BlockRun, void, undefined> {
    const end = path === '' ? undefined : endOf(path);
    let place = await this.#below(path);
    let before: ByteString | undefined;
    while (place) {
      const { index, block } = place;
      for (let row = place.row; row < block.count; ) {
        const finding = this.#run(block, row);
        const run = finding instanceof Promise ? await finding : finding;
        if (before !== undefined && comparePaths(before, run.at(0)) >= 0) throw this.#disorder(index);
        before = run.at(run.count - 1);
        if (end !== undefined && comparePaths(before, end) > 0) {
          yield run.first(run.countUpTo(end));
          return;
        }
        yield run;
        row += run.count;
      }
      place = await this.#firstAfter(index);
    }
  }

  /** The longest run of paths from a row on that are neighbours in a block of one layer's entries. */
  #run(block: MergeBlock, row: number): BlockRun | Promise<BlockRun> {
    const explicit = block.paths.get(row);
    if (explicit !== undefined) return new BlockRun(Paths.of(explicit), 0, 1);
    const layer = block.layers[row]!;
    const ordinal = block.entries[row]!;
    const section = this.#layer(layer);
    const entries =
      section instanceof Promise
        ? section.then((opened) => opened.entryBlock(ordinal))
        : section.entryBlock(ordinal);
    const runIn = ({ first, count, paths }: EntryBlock): BlockRun => {
      const most = Math.min(block.count - row, first + count - ordinal);
      let length = 1;
      while (
        length < most &&
        block.layers[row + length] === layer &&
        block.entries[row + length] === ordinal + length &&
        !block.paths.has(row + length) &&
        !paths.repeats.has(ordinal - first + length)
      ) {
        length++;
      }
      return new BlockRun(paths, ordinal - first, length);
    };
    return entries instanceof Promise ? entries.then(runIn) : runIn(entries);
  }

  /** The first node below a directory. */
  async #below(directory: ByteString): Promise<Place | undefined> {
    const place = await this.#seek(directory === '' ? '' : `${directory}/`);
    return directory === '' && place ? this.#next(place) : place;
  }

  async #firstAfter(index: number): Promise<Place | undefined> {
    return index + 1 < this.#merge.count ? this.#first(index + 1) : undefined;
  }

  /** The first node that is not before `path`. */
  async #seek(path: string): Promise<Place | undefined> {
    const index = await this.#blockBefore(path);
    if (index < 0) return this.#first(0);
    const loaded = this.#block(index);
    const block = loaded instanceof Promise ? await loaded : loaded;
    return this.#seekIn({ index, block, row: 0 }, path);
  }

  /** The first node from `from` on that is not before `path`, which must come before the first node of the next block but one. */
  async #seekIn(from: Place, path: string): Promise<Place | undefined> {
    const { index, block } = from;
    let low = from.row;
    let high = block.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.#path(block, middle);
      if (comparePaths(typeof at === 'string' ? at : await at, path) < 0) low = middle + 1;
      else high = middle;
    }
    if (low < block.count) return { index, block, row: low };
    return this.#firstAfter(index);
  }

  /** The first node after `place` that is neither at `path` nor below it. */
  async #skip(place: Place, path: string): Promise<Place | undefined> {
    const next = await this.#next(place);
    if (!next) return undefined;
    const end = endOf(path);
    if (comparePaths(await this.#path(next.block, next.row), end) > 0) return next;
    const index = await this.#blockBefore(end);
    if (index < next.index) throw this.#disorder(next.index);
    if (index === next.index) return this.#seekIn(next, end);
    return this.#seekIn({ index, block: await this.#block(index), row: 0 }, end);
  }

  async #next({ index, block, row }: Place): Promise<Place | undefined> {
    return row + 1 < block.count ? { index, block, row: row + 1 } : this.#firstAfter(index);
  }

  async #first(index: number): Promise<Place> {
    return { index, block: await this.#block(index), row: 0 };
  }

  /** The last block whose first path is at most `path`, or -1. */
  async #blockBefore(path: string): Promise<number> {
    const keys = this.#keys;
    let low = 0;
    let high = keys.count;
    // One block of keys serves some million nodes, so this loop hardly ever turns.
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (comparePaths((await this.#keyBlock(middle)).at(0), path) <= 0) low = middle;
      else high = middle;
    }
    const block = this.#keyBlock(low);
    const paths = block instanceof Promise ? await block : block;
    return keys.firstItem[low]! + new BlockRun(paths, 0, paths.count).countUpTo(path) - 1;
  }

  #keyBlock(index: number): Paths | Promise<Paths> {
    return this.#section.block(STREAM.keys, index, (bytes, { where }) => {
      const reader = new ByteReader(bytes, where);
      const count = this.#keys.firstItem[index + 1]! - this.#keys.firstItem[index]!;
      const paths = readPaths(reader, count, { allowEqual: false });
      reader.done();
      return paths;
    });
  }

  #block(index: number): MergeBlock | Promise<MergeBlock> {
    return this.#section.block(STREAM.merge, index, (bytes, { where }) => {
      const count = this.#merge.firstItem[index + 1]! - this.#merge.firstItem[index]!;
      return decodeMerge(bytes, { count, entryCounts: this.#entryCounts, where });
    });
  }

  #path(block: MergeBlock, row: number): ByteString | Promise<ByteString> {
    const explicit = block.paths.get(row);
    if (explicit !== undefined) return explicit;
    const section = this.#layer(block.layers[row]!);
    const ordinal = block.entries[row]!;
    return section instanceof Promise ? section.then((layer) => layer.path(ordinal)) : section.path(ordinal);
  }

  #node(place: Place): Node | Promise<Node> {
    const { block, row } = place;
    const layer = block.layers[row]!;
    if (layer < 0) return this.#synthetic(place);
    const section = this.#layer(layer);
    const target = block.targets.get(row);
    if (section instanceof Promise) {
      return this.#slowNode(
        place,
        section.then((opened) => opened.entry(block.entries[row]!)),
      );
    }
    const entry = section.entry(block.entries[row]!);
    if (target || entry instanceof Promise) return this.#slowNode(place, entry);
    return {
      path: block.paths.get(row) ?? entry.path,
      entry,
      layer,
      nlink: block.nlinks.get(row) ?? 1,
      inode: `${layer}:${block.entries[row]}`,
    };
  }

  /** Like `#node`, for what has to wait or is a hard link. */
  async #slowNode({ index, block, row }: Place, entryOfName: Entry | Promise<Entry>): Promise<Node> {
    const ref = { layer: block.layers[row]!, entry: block.entries[row]! };
    const target = block.targets.get(row);
    const own = await entryOfName;
    if (target !== undefined && own.type !== 'hardlink') throw this.#brokenLink(index);
    const data = target ?? ref;
    const entry = target ? await (await this.#layer(target.layer)).entry(target.entry) : own;
    if (target !== undefined && entry.type === 'hardlink') throw this.#brokenLink(index);
    return {
      path: block.paths.get(row) ?? own.path,
      entry,
      layer: data.layer,
      nlink: block.nlinks.get(row) ?? 1,
      inode: `${data.layer}:${data.entry}`,
    };
  }

  #synthetic({ index, block, row }: Place): Node {
    const path = block.paths.get(row)!;
    const nothing = '' as ByteString;
    const entry: Entry = {
      path,
      type: 'directory',
      mode: 0o755,
      uid: 0,
      gid: 0,
      uname: nothing,
      gname: nothing,
      mtime: 0,
      mtimeNanos: 0,
      size: 0,
      link: nothing,
      devMajor: 0,
      devMinor: 0,
      xattrs: [],
      position: 0,
    };
    return { path, entry, layer: -1, nlink: 1, inode: `-1:${this.#merge.firstItem[index]! + row}` };
  }

  #brokenLink(index: number): Error {
    return corruptIndex(
      `${this.#section.where}, merge block ${index}`,
      'a hard link and its target do not fit',
    );
  }

  #disorder(index: number): Error {
    return corruptIndex(`${this.#section.where}, merge block ${index}`, 'nodes are not in order');
  }
}
