import type { ByteString } from '../bytes.js';
import type { EntryRef } from '../tree/merged-node.js';
import { ByteReader } from './byte-reader.js';
import { MAX_ITEMS } from './limits.js';
import { RUN } from './merge-runs.js';
import { readPaths } from './paths.js';

/** A block of merged nodes, decoded; `row` is the node's place in the block. */
export interface MergeBlock {
  count: number;
  /** Layer of the image that the node's entry is in; -1 for a directory that no layer names. */
  layers: Int16Array;
  /** Ordinal of the node's entry in that layer. */
  entries: Uint32Array;
  /** Paths that are not those of the entry. */
  paths: ReadonlyMap<number, ByteString>;
  /** What a hard link leads to. */
  targets: ReadonlyMap<number, EntryRef>;
  /** Link counts other than 1. */
  nlinks: ReadonlyMap<number, number>;
}

export interface MergeBounds {
  count: number;
  /** Number of entries of each layer of the image. */
  entryCounts: readonly number[];
  where: string;
}

/** Decodes a block of `count` nodes; every reference is checked to lie within its layer. */
export function decodeMerge(bytes: Uint8Array, { count, entryCounts, where }: MergeBounds): MergeBlock {
  const reader = new ByteReader(bytes, where);
  const readRef = (layer: number, entry: number): EntryRef => {
    if (!(entry >= 0 && entry < (entryCounts[layer] ?? 0)))
      reader.fail(`no entry ${entry} in layer ${layer}`);
    return { layer, entry };
  };
  const block = {
    count,
    layers: new Int16Array(count).fill(-1),
    entries: new Uint32Array(count),
    paths: new Map<number, ByteString>(),
    targets: new Map<number, EntryRef>(),
    nlinks: new Map<number, number>(),
  };
  const layers = readLayers(reader, entryCounts.length);
  const explicit: { row: number; moved: boolean }[] = [];
  let row = 0;
  for (const { code, skip, take } of readRuns(reader, count, layers.length)) {
    if (code >= RUN.first) {
      const layer = layers[code - RUN.first]!;
      const first = layer.next + skip;
      readRef(layer.layer, first + take - 1);
      block.layers.fill(layer.layer, row, row + take);
      for (let i = 0; i < take; i++) block.entries[row + i] = first + i;
      row += take;
      layer.next = first + take;
    } else {
      for (let i = 0; i < take; i++) explicit.push({ row: row++, moved: code === RUN.moved });
    }
  }
  const paths = readPaths(reader, explicit.length, { allowEqual: false });
  for (const [i, { row }] of explicit.entries()) block.paths.set(row, paths.at(i));
  let expected = 0;
  for (const { row, moved } of explicit) {
    if (!moved) continue;
    const ref = readRef(reader.varint(), expected + reader.svarint());
    block.layers[row] = ref.layer;
    block.entries[row] = ref.entry;
    expected = ref.entry + 1;
  }
  const linked = readRows(reader, count, 3);
  const targetLayers = linked.map(() => reader.varint());
  linked.forEach((row, i) => {
    if (block.layers[row] === -1) reader.fail('a directory that no layer names is no hard link');
    block.targets.set(row, readRef(targetLayers[i]!, block.entries[row]! + reader.svarint()));
  });
  const shared = readRows(reader, count, 2);
  for (const row of shared) block.nlinks.set(row, reader.upTo(MAX_ITEMS, 'link count') + 2);
  reader.done();
  return block;
}

function readLayers(reader: ByteReader, layerCount: number): { layer: number; next: number }[] {
  const layers: { layer: number; next: number }[] = [];
  const count = reader.count(2, 'number of layers');
  for (let i = 0; i < count; i++) {
    const layer = reader.upTo(layerCount - 1, 'layer');
    if (i > 0 && layer <= layers[i - 1]!.layer) reader.fail('layers are not in order');
    layers.push({ layer, next: reader.varint() });
  }
  return layers;
}

/** The runs, which must add up to `count` nodes. */
function readRuns(reader: ByteReader, count: number, layerCount: number) {
  const runCount = reader.count(2, 'number of runs');
  const codes: number[] = [];
  for (let i = 0; i < runCount; i++) codes.push(reader.upTo(RUN.first + layerCount - 1, 'code of a run'));
  let total = 0;
  const takes = codes.map(() => {
    const take = reader.upTo(count - total - 1, 'length of a run') + 1;
    total += take;
    return take;
  });
  if (total !== count) reader.fail(`runs of ${total} nodes instead of ${count}`);
  return codes.map((code, i) => ({ code, take: takes[i]!, skip: code >= RUN.first ? reader.varint() : 0 }));
}

/** Ascending rows, each told as the distance from the row after the one before; `each`: bytes that a row takes at least. */
function readRows(reader: ByteReader, count: number, each: number): number[] {
  const rows: number[] = [];
  const rowCount = reader.count(each, 'number of rows');
  let next = 0;
  for (let i = 0; i < rowCount; i++) {
    next += reader.upTo(count - 1 - next, 'row');
    rows.push(next++);
  }
  return rows;
}
