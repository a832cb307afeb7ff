/**
 * Many files, one after the other, for who reads a whole tree: `export` and `verify`. A single file of a few kB costs a read a
 * plan, a load and a dozen promises; here some hundred neighbours share them. Files are planned into windows of spans, each span
 * once in a window; one window is handed out while the next is on its way. The receipt counts as for single reads: one lookup a
 * unit and file, so that a span shared by ten files is one miss and nine hits.
 */
import type { Batch } from '../cache/tiered.js';
import type { Node } from '../tree/node.js';
import { abortable } from './abortable.js';
import type { ReadContext } from './context.js';
import { segmentsOf } from './plan.js';
import { createSpanFinder } from './span-finder.js';
import type { ReadPlan, Strategist } from './strategy.js';
import { type SpanUnit, unitOf } from './units.js';

/** A part of a node, in the order of its bytes. What is no file, and an empty file, is one part without bytes. */
export interface FilePart {
  node: Node;
  /** A view of cached data that must not be changed. */
  bytes: Uint8Array;
  /** So many zeros of a hole, instead of bytes. */
  zeros: number;
  /** The node's last part. */
  last: boolean;
}

export type Nodes = AsyncIterable<Node> | Iterable<Node>;

/** A window ends at the first of these; memory holds two windows. */
const MAX_BYTES = 16 << 20;
const MAX_PARTS = 4096;

const NOTHING = new Uint8Array(0);

/** One span in a window, shared by the files that have bytes in it. */
interface Slot {
  unit: SpanUnit;
  /** Where it is awaited from; undefined once the value is here. */
  batch: Batch | undefined;
  number: number;
  value: Uint8Array | undefined;
}

/** What one file's read looks up and gets. */
interface FileRead {
  plan: ReadPlan;
  bytes: number;
}

interface PlannedPart {
  node: Node;
  /** None for a hole and for what has no bytes. */
  unit: SpanUnit | undefined;
  /** Of the span; of a hole 0 and its length. */
  start: number;
  end: number;
  last: boolean;
  /** Undefined for what is no file. */
  read: FileRead | undefined;
}

/** The load of a window's spans of one layer. */
interface LayerLoad {
  slots: Slot[];
  origin: ReadPlan['origin'];
  /** Who counts what is found out about a unit: the first file that has bytes in it. */
  readers: Map<SpanUnit, FileRead>;
  keepInMemory: boolean;
}

interface FilesWindow {
  parts: { planned: PlannedPart; slot: Slot | undefined }[];
  slots: Map<string, Slot>;
  batches: Batch[];
}

export interface StreamFilesOptions {
  /** Files up to this size leave their spans in the memory tier. */
  largest: number;
  signal: AbortSignal | undefined;
}

export async function* streamFiles(
  context: ReadContext,
  strategist: Strategist,
  { nodes, largest, signal }: StreamFilesOptions & { nodes: Nodes },
): AsyncGenerator<FilePart> {
  const planned = planFiles(context, strategist, nodes);
  let current: FilesWindow | undefined;
  let next: FilesWindow | undefined;
  try {
    current = await launch(context, planned, { largest, before: undefined });
    while (current) {
      next = await launch(context, planned, { largest, before: current });
      for (const part of current.parts) {
        signal?.throwIfAborted();
        const { planned, slot } = part;
        const value = slot && (slot.value ?? (await land(slot, signal)));
        yield handOut(planned, value);
        if (planned.last && planned.read) endRead(context, planned.read);
      }
      release(current);
      current = next;
      next = undefined;
    }
  } finally {
    release(current);
    release(next);
  }
}

/** Plans a window and starts its loads; undefined when there are no more nodes. */
async function launch(
  context: ReadContext,
  planned: AsyncGenerator<PlannedPart>,
  { largest, before }: { largest: number; before: FilesWindow | undefined },
): Promise<FilesWindow | undefined> {
  const window: FilesWindow = { parts: [], slots: new Map(), batches: [] };
  const loads = new Map<number, LayerLoad>();
  let bytes = 0;
  while (bytes < MAX_BYTES && window.parts.length < MAX_PARTS) {
    const { value: part, done } = await planned.next();
    if (done) break;
    const { unit, read, node } = part;
    if (!unit || !read) {
      window.parts.push({ planned: part, slot: undefined });
      continue;
    }
    const key = `${node.layer}:${unit.span.index}`;
    let slot = window.slots.get(key) ?? before?.slots.get(key);
    if (slot) read.plan.lookups.note(unit, 'memory', false);
    else {
      slot = { unit, batch: undefined, number: 0, value: undefined };
      addToLoad(loads, slot, { read, layer: node.layer, keep: node.entry.size <= largest });
      bytes += unit.length;
    }
    window.slots.set(key, slot);
    window.parts.push({ planned: part, slot });
  }
  for (const { slots, origin, readers, keepInMemory } of loads.values()) {
    const batch = context.cache.load(
      slots.map((slot) => slot.unit),
      {
        origin,
        onOutcome: (unit, outcome, coalesced) =>
          readers.get(unit)?.plan.lookups.note(unit, outcome, coalesced),
        keepInMemory,
      },
    );
    for (const slot of slots) slot.batch = batch;
    window.batches.push(batch);
  }
  return window.parts.length > 0 ? window : undefined;
}

function addToLoad(
  loads: Map<number, LayerLoad>,
  slot: Slot,
  { read, layer, keep }: { read: FileRead; layer: number; keep: boolean },
): void {
  let load = loads.get(layer);
  if (!load) {
    load = { slots: [], origin: read.plan.origin, readers: new Map(), keepInMemory: false };
    loads.set(layer, load);
  }
  slot.number = load.slots.length;
  load.slots.push(slot);
  load.readers.set(slot.unit, read);
  load.keepInMemory ||= keep;
}

/** Waits for a slot's value, and lets go of the batch with all its other values. */
async function land(slot: Slot, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const taken = slot.batch!.take(slot.number);
  slot.value = taken instanceof Uint8Array ? taken : await abortable(taken, signal);
  slot.batch = undefined;
  return slot.value;
}

function handOut({ node, start, end, last, read }: PlannedPart, value: Uint8Array | undefined): FilePart {
  if (read) read.bytes += end - start;
  if (!value) return { node, bytes: NOTHING, zeros: end - start, last };
  return { node, bytes: value.subarray(start, end), zeros: 0, last };
}

function endRead(context: ReadContext, { plan, bytes }: FileRead): void {
  plan.lookups.end();
  context.observer.emit({ type: 'read', bytes });
}

function release(window: FilesWindow | undefined): void {
  for (const batch of window?.batches ?? []) batch.release();
}

/** The nodes cut into parts: each hole, and each stretch of bytes within one span. */
async function* planFiles(
  context: ReadContext,
  strategist: Strategist,
  nodes: Nodes,
): AsyncGenerator<PlannedPart> {
  const finder = createSpanFinder(context.index);
  for await (const node of nodes) {
    const { type, size } = node.entry;
    const read = type === 'file' ? { plan: strategist.plan(Math.max(node.layer, 0)), bytes: 0 } : undefined;
    if (!read || size === 0) {
      yield { node, unit: undefined, start: 0, end: 0, last: true, read };
      continue;
    }
    let left = size;
    for (const { offset, length } of segmentsOf(node, 0, size)) {
      if (offset === undefined) {
        left -= length;
        yield { node, unit: undefined, start: 0, end: length, last: left === 0, read };
        continue;
      }
      for (let at = offset; at < offset + length; ) {
        const found = finder.at(node.layer, at);
        const span = found instanceof Promise ? await found : found;
        const stop = Math.min(offset + length, span.offset + span.length);
        left -= stop - at;
        const range = { start: at - span.offset, end: stop - span.offset };
        yield { node, unit: unitOf(span), ...range, last: left === 0, read };
        at = stop;
      }
    }
  }
}

/** The same without sharing anything between files, for the strategy that shares nothing. */
export async function* eachFile(
  read: (node: Node, range: { signal?: AbortSignal }) => AsyncIterable<Uint8Array>,
  nodes: Nodes,
  signal: AbortSignal | undefined,
): AsyncGenerator<FilePart> {
  for await (const node of nodes) {
    if (node.entry.type === 'file') {
      for await (const bytes of read(node, signal ? { signal } : {})) {
        yield { node, bytes, zeros: 0, last: false };
      }
    }
    yield { node, bytes: NOTHING, zeros: 0, last: true };
  }
}
