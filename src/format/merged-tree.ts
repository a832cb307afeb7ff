import type { ByteString } from '../bytes.js';
import { comparePaths, type Entry, extraBytes } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import { ByteReader } from './byte-reader.js';
import { corruptIndex } from './corrupt.js';
import type { LayerSection } from './layer-section.js';
import { decodeMerge, type MergeBlock } from './merge-decode.js';
import { readPaths } from './paths.js';
import { STREAM, type Stream } from './section.js';
import type { SectionReader } from './section-reader.js';

/** A node's place: block of the merge, row in it. A row equal to the block's count stands for the next block's first. */
interface Place {
  index: number;
  block: MergeBlock;
  row: number;
}

/** Nodes or paths of one batch: each may keep a block of paths in memory that nothing else needs. */
const BATCH = 512;
/** Bytes of names, attributes and extents of one batch, but for its last node. */
const BATCH_EXTRAS = 1_048_576;

/** What is handed out together: bounded, whatever the nodes of an index that somebody made refer to. */
class Batch<T> {
  #items: T[] = [];

  get isFull(): boolean {
    return this.#items.length >= BATCH;
  }

  add(item: T): void {
    this.#items.push(item);
  }

  take(): T[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }
}

class NodeBatch extends Batch<Node> {
  #extras = 0;

  override get isFull(): boolean {
    return super.isFull || this.#extras >= BATCH_EXTRAS;
  }

  override add(node: Node): void {
    this.#extras += extraBytes(node.entry);
    super.add(node);
  }

  override take(): Node[] {
    this.#extras = 0;
    return super.take();
  }
}

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
    let place = await this.#seek(prefix);
    if (path === '' && place) place = await this.#next(place);
    const batch = new NodeBatch();
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

  walk(path: ByteString): AsyncGenerator<Node[], void, undefined> {
    return this.#batches(path, {
      make: (place) => this.#node(place),
      pathOf: (node) => node.path,
      batch: new NodeBatch(),
    });
  }

  /** The same of paths alone, in half the time: no entry is decoded for them. */
  paths(path: ByteString): AsyncGenerator<ByteString[], void, undefined> {
    return this.#batches(path, {
      make: ({ block, row }) => this.#path(block, row),
      pathOf: (found) => found,
      batch: new Batch<ByteString>(),
    });
  }

  /** What is made of each place at `path` and below it, in batches that end with each block or earlier. */
  async *#batches<T>(
    path: ByteString,
    of: { make: (place: Place) => T | Promise<T>; pathOf: (made: T) => ByteString; batch: Batch<T> },
  ): AsyncGenerator<T[], void, undefined> {
    const { make, pathOf, batch } = of;
    const end = path === '' ? undefined : endOf(path);
    let place = await this.#seek(path);
    let before: ByteString | undefined;
    while (place) {
      const { index, block } = place;
      for (let row = place.row; row < block.count; row++) {
        const making = make({ index, block, row });
        const made = making instanceof Promise ? await making : making;
        const at = pathOf(made);
        if (before !== undefined && comparePaths(before, at) >= 0) throw this.#disorder(index);
        if (end !== undefined && comparePaths(at, end) > 0) {
          yield batch.take();
          return;
        }
        before = at;
        batch.add(made);
        if (batch.isFull) yield batch.take();
      }
      yield batch.take();
      place = index + 1 < this.#merge.count ? await this.#first(index + 1) : undefined;
    }
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
    return index + 1 < this.#merge.count ? this.#first(index + 1) : undefined;
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
    if (row + 1 < block.count) return { index, block, row: row + 1 };
    return index + 1 < this.#merge.count ? this.#first(index + 1) : undefined;
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
      if (comparePaths((await this.#keyBlock(middle))[0]!, path) <= 0) low = middle;
      else high = middle;
    }
    const block = this.#keyBlock(low);
    const paths = block instanceof Promise ? await block : block;
    let from = 0;
    let to = paths.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (comparePaths(paths[middle]!, path) <= 0) from = middle + 1;
      else to = middle;
    }
    return keys.firstItem[low]! + from - 1;
  }

  #keyBlock(index: number): readonly ByteString[] | Promise<readonly ByteString[]> {
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
