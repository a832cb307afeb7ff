import type { ByteString } from '../bytes.js';
import type { EntryRef, MergedNode } from '../tree/merged-node.js';
import { encodeBlock } from './block-encoder.js';
import { ByteWriter } from './byte-writer.js';
import { check } from './corrupt.js';
import { MAX_BLOCK, MAX_BLOCK_ITEMS, MAX_BLOCK_PATHS } from './limits.js';
import { RUN } from './merge-runs.js';
import { writePaths } from './paths.js';
import { type EncodedBlock, type EncodedStream, STREAM } from './section.js';

/** Nodes after which a block ends at the next place that suits, and after which it ends anywhere. */
const ENOUGH_NODES = 256;
const MOST_NODES = 2048;

/** Path of the entry that a reference leads to, and whether the entry begins a block in its layer. */
export type EntryFacts = (ref: EntryRef) => { path: ByteString; beginsBlock: boolean };

/** A node with what the block needs to know of its entry. */
interface Row {
  node: MergedNode;
  /** Its path cannot be had from its entry: no entry, or a parent was a symlink. */
  explicit: boolean;
}

/**
 * Encodes the merged tree (sorted, root first) into the streams `keys` and `merge`. Nodes are references into the layers'
 * entries; both are in the same order, so a few runs tell most of them. A block ends where a block of entries does, if it can:
 * then a lookup decodes one of either.
 */
export function encodeMerge(
  nodes: Iterable<MergedNode>,
  facts: EntryFacts,
): { streams: EncodedStream[]; nodeCount: number } {
  const blocks: EncodedBlock[] = [];
  const firsts: ByteString[] = [];
  const out = new ByteWriter(MAX_BLOCK);
  const addBlock = (rows: readonly Row[]): void => {
    out.clear();
    writeNodes(out, rows);
    if (out.length > MAX_BLOCK && rows.length > 1) {
      const middle = rows.length >>> 1;
      addBlock(rows.slice(0, middle));
      addBlock(rows.slice(middle));
      return;
    }
    blocks.push(encodeBlock(out.view(), rows.length));
    firsts.push(rows[0]!.node.path);
  };
  let rows: Row[] = [];
  let explicitBytes = 0;
  let nodeCount = 0;
  for (const node of nodes) {
    check(nodeCount++ > 0 || node.path === '', 'the first node is not the root');
    const entry = node.ref && facts(node.ref);
    const explicit = !entry || entry.path !== node.path;
    const full = rows.length >= (entry?.beginsBlock ? ENOUGH_NODES : MOST_NODES);
    if (full || (explicit && explicitBytes + node.path.length > MAX_BLOCK_PATHS)) {
      addBlock(rows);
      rows = [];
      explicitBytes = 0;
    }
    rows.push({ node, explicit });
    if (explicit) explicitBytes += node.path.length;
  }
  if (rows.length > 0) addBlock(rows);
  check(nodeCount > 0, 'no nodes');
  const streams = [
    { id: STREAM.keys, blocks: encodeKeys(firsts) },
    { id: STREAM.merge, blocks },
  ];
  return { streams, nodeCount };
}

/** The first path of each block of nodes. */
function encodeKeys(firsts: readonly ByteString[]): EncodedBlock[] {
  const blocks: EncodedBlock[] = [];
  const addBlock = (start: number, end: number): void => {
    const paths = firsts.slice(start, end);
    const out = new ByteWriter(MAX_BLOCK);
    writePaths(out, paths);
    const bytes = paths.reduce((sum, path) => sum + path.length, 0);
    if ((out.length > MAX_BLOCK || bytes > MAX_BLOCK_PATHS) && end - start > 1) {
      const middle = (start + end) >>> 1;
      addBlock(start, middle);
      addBlock(middle, end);
      return;
    }
    blocks.push(encodeBlock(out.view(), end - start));
  };
  for (let start = 0; start < firsts.length; start += MAX_BLOCK_ITEMS) {
    addBlock(start, Math.min(start + MAX_BLOCK_ITEMS, firsts.length));
  }
  return blocks;
}

interface Run {
  code: number;
  skip: number;
  take: number;
}

function writeNodes(out: ByteWriter, rows: readonly Row[]): void {
  const { layers, runs } = findRuns(rows);
  out.varint(layers.length);
  for (const { layer, start } of layers) {
    out.varint(layer);
    out.varint(start);
  }
  out.varint(runs.length);
  for (const { code } of runs) out.varint(code);
  for (const { take } of runs) out.varint(take - 1);
  for (const { code, skip } of runs) if (code >= RUN.first) out.varint(skip);
  writePaths(
    out,
    rows.filter((row) => row.explicit).map((row) => row.node.path),
  );
  let expected = 0;
  for (const { node, explicit } of rows) {
    if (!explicit || !node.ref) continue;
    out.varint(node.ref.layer);
    out.svarint(node.ref.entry - expected);
    expected = node.ref.entry + 1;
  }
  writeLinks(out, rows);
}

/** Cuts the rows into runs. Each layer that is run through gets a number in this block and the ordinal to start from. */
function findRuns(rows: readonly Row[]) {
  const numbers = new Map<number, number>();
  const used = rows.flatMap(({ node, explicit }) => (explicit || !node.ref ? [] : [node.ref]));
  const starts = new Map<number, number>();
  for (const { layer, entry } of used) if (!starts.has(layer)) starts.set(layer, entry);
  const layers = [...starts.keys()]
    .sort((a, b) => a - b)
    .map((layer) => ({ layer, start: starts.get(layer)! }));
  layers.forEach(({ layer }, i) => {
    numbers.set(layer, i);
  });
  const next = new Map(starts);
  const runs: Run[] = [];
  for (const { node, explicit } of rows) {
    const { ref } = node;
    const last = runs[runs.length - 1];
    const plain = ref && !explicit;
    const code = plain ? RUN.first + numbers.get(ref.layer)! : ref ? RUN.moved : RUN.synthetic;
    const skip = plain ? ref.entry - next.get(ref.layer)! : 0;
    if (plain) next.set(ref.layer, ref.entry + 1);
    if (last && last.code === code && skip === 0) last.take++;
    else runs.push({ code, skip, take: 1 });
  }
  return { layers, runs };
}

/** Hard links, and inodes with more than one name: rows told one by one. */
function writeLinks(out: ByteWriter, rows: readonly Row[]): void {
  const links = rows.flatMap(({ node }, row) =>
    node.target && node.ref ? [{ row, target: node.target, own: node.ref.entry }] : [],
  );
  out.varint(links.length);
  let next = 0;
  for (const { row } of links) {
    out.varint(row - next);
    next = row + 1;
  }
  for (const { target } of links) out.varint(target.layer);
  for (const { target, own } of links) out.svarint(target.entry - own);
  const shared = rows.flatMap(({ node }, row) => (node.nlink > 1 ? [{ row, nlink: node.nlink }] : []));
  out.varint(shared.length);
  next = 0;
  for (const { row } of shared) {
    out.varint(row - next);
    next = row + 1;
  }
  for (const { nlink } of shared) out.varint(nlink - 2);
}
