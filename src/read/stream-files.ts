/**
 * Many files, one after the other, for who reads a whole tree: `export`, `extract` and `verify`. A single file of a few kB costs a
 * read a plan, a load and a dozen promises; here some hundred neighbours share them. Files are planned into windows of spans; one
 * window is handed out while the next ones are on their way. What was handed out stays on a shelf for files that come later, and
 * then its memory is used again. The receipt counts as for single reads: one lookup a unit and file, so that a span shared by ten
 * files is one miss and nine hits.
 */
import type { Batch } from '../cache/batch.js';
import { abortable } from '../http/abortable.js';
import { variableBytes } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import type { ReadContext } from './context.js';
import { createLongRanges, type LongRanges } from './long-ranges.js';
import { segmentsOf } from './plan.js';
import type { Shelf } from './shelf.js';
import { createSpanFinder } from './span-finder.js';
import type { ReadPlan, Strategist } from './strategy.js';
import { type SpanUnit, unitOf } from './units.js';

/** A part of a node, in the order of its bytes. What is no file, and an empty file, is one part without bytes. */
export interface FilePart {
  node: Node;
  /** A view that must not be changed. It is valid until the next part is asked for, or longer where it is held. */
  bytes: Uint8Array;
  /** Keeps `bytes` valid until the result is called, once. */
  hold(): () => void;
  /** So many zeros of a hole, instead of bytes. */
  zeros: number;
  /** The node's last part. */
  last: boolean;
}

export type Nodes = AsyncIterable<Node> | Iterable<Node>;

/** A window ends at the first of these; names, attributes and extents of its nodes count as bytes. */
const MAX_BYTES = 8 << 20;
const MAX_PARTS = 4096;
/** Windows that memory holds: one is handed out, the others are on their way. */
const WINDOWS = 2;

const NOTHING = new Uint8Array(0);

/** One span, shared by the files that have bytes in it. */
interface Slot {
  key: string;
  /** Where it is awaited from; undefined once the value is here. */
  batch: Batch | undefined;
  number: number;
  value: Uint8Array | undefined;
  /** Whether nobody else has the value. */
  own: boolean;
  /** Parts that are planned and not handed out. */
  uses: number;
  /** Whether files that come later may need it: it is no part of a large file only. */
  keep: boolean;
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
  units: SpanUnit[];
  origin: ReadPlan['origin'];
  /** Who counts what is found out about a unit: the first file that has bytes in it. */
  readers: Map<SpanUnit, FileRead>;
}

interface FilesWindow {
  parts: { planned: PlannedPart; slot: Slot | undefined }[];
  batches: Batch[];
}

export interface StreamFilesOptions {
  /** Files up to this size leave their spans on the shelf. */
  largest: number;
  shelf: Shelf;
  signal: AbortSignal | undefined;
}

/** A walk's view of the spans: those that planned parts need, and behind them the shelf. */
interface Walk {
  context: ReadContext;
  options: StreamFilesOptions;
  planned: AsyncGenerator<PlannedPart>;
  slots: Map<string, Slot>;
}

export async function* streamFiles(
  context: ReadContext,
  strategist: Strategist,
  { nodes, ...options }: StreamFilesOptions & { nodes: Nodes },
): AsyncGenerator<FilePart> {
  const { signal } = options;
  const ranges = createLongRanges(context);
  const planned = planFiles(context, strategist, { nodes, ranges });
  const walk: Walk = { context, options, planned, slots: new Map() };
  const flying: FilesWindow[] = [];
  try {
    for (;;) {
      while (flying.length < WINDOWS) {
        const window = await launch(walk);
        if (!window) break;
        flying.push(window);
      }
      const current = flying[0];
      if (!current) return;
      for (const { planned, slot } of current.parts) {
        signal?.throwIfAborted();
        const value = slot && (slot.value ?? (await land(slot, signal)));
        yield handOut(walk, planned, slot, value);
        if (slot) putAway(walk, slot);
        if (planned.last && planned.read) endRead(context, planned.read);
      }
      release(current);
      flying.shift();
    }
  } finally {
    for (const window of flying) release(window);
    ranges.close();
  }
}

/** Plans a window and starts its loads; undefined when there are no more nodes. */
async function launch({ context, options, planned, slots }: Walk): Promise<FilesWindow | undefined> {
  const window: FilesWindow = { parts: [], batches: [] };
  const loads = new Map<number, LayerLoad>();
  let bytes = 0;
  let last: Node | undefined;
  while (bytes < MAX_BYTES && window.parts.length < MAX_PARTS) {
    const { value: part, done } = await planned.next();
    if (done) break;
    const { unit, read, node } = part;
    if (node !== last) bytes += variableBytes(node.entry);
    last = node;
    if (!unit || !read) {
      window.parts.push({ planned: part, slot: undefined });
      continue;
    }
    const key = `${unit.key} ${unit.length}`;
    let slot = slots.get(key) ?? fromShelf(options.shelf, key);
    if (slot) read.plan.lookups.note(unit, 'memory', false);
    else {
      slot = { key, batch: undefined, number: 0, value: undefined, own: false, uses: 0, keep: false };
      addToLoad(loads, slot, { unit, read, layer: node.layer });
      bytes += unit.length;
    }
    slot.uses++;
    slot.keep ||= node.entry.size <= options.largest;
    slots.set(key, slot);
    window.parts.push({ planned: part, slot });
  }
  for (const { slots, units, origin, readers } of loads.values()) {
    const batch = context.cache.load(units, {
      origin,
      onOutcome: (unit, outcome, coalesced) => readers.get(unit)?.plan.lookups.note(unit, outcome, coalesced),
      keepInMemory: false,
    });
    for (const slot of slots) slot.batch = batch;
    window.batches.push(batch);
  }
  return window.parts.length > 0 ? window : undefined;
}

function fromShelf(shelf: Shelf, key: string): Slot | undefined {
  const found = shelf.take(key);
  return found && { key, batch: undefined, number: 0, ...found, uses: 0, keep: true };
}

function addToLoad(
  loads: Map<number, LayerLoad>,
  slot: Slot,
  { unit, read, layer }: { unit: SpanUnit; read: FileRead; layer: number },
): void {
  let load = loads.get(layer);
  if (!load) {
    load = { slots: [], units: [], origin: read.plan.origin, readers: new Map() };
    loads.set(layer, load);
  }
  slot.number = load.slots.length;
  load.slots.push(slot);
  load.units.push(unit);
  load.readers.set(unit, read);
}

/** Waits for a slot's value, and lets go of the batch with all its other values. */
async function land(slot: Slot, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const { batch, number } = slot;
  const taken = batch!.take(number);
  slot.value = taken instanceof Uint8Array ? taken : await abortable(taken, signal);
  slot.own = batch!.own(number);
  slot.batch = undefined;
  return slot.value;
}

/** A part that lay in the slot is done with. */
function putAway({ slots, options, context }: Walk, slot: Slot): void {
  if (--slot.uses > 0) return;
  slots.delete(slot.key);
  const { own } = slot;
  const value = slot.value!;
  if (slot.keep) options.shelf.put(slot.key, { value, own });
  else if (own) context.buffers.give(value);
}

function handOut(
  walk: Walk,
  { node, start, end, last, read }: PlannedPart,
  slot: Slot | undefined,
  value: Uint8Array | undefined,
): FilePart {
  if (read) read.bytes += end - start;
  if (!slot || !value) return { node, bytes: NOTHING, hold: holdNothing, zeros: end - start, last };
  const hold = () => {
    slot.uses++;
    return () => putAway(walk, slot);
  };
  return { node, bytes: value.subarray(start, end), hold, zeros: 0, last };
}

/** For bytes that stay as they are. */
function holdNothing(): () => void {
  return () => {};
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
  { nodes, ranges }: { nodes: Nodes; ranges: LongRanges },
): AsyncGenerator<PlannedPart> {
  const finder = createSpanFinder(context.index);
  for await (const node of nodes) {
    const { type, size } = node.entry;
    const read =
      type === 'file' ? { plan: strategist.plan(Math.max(node.layer, 0), ranges), bytes: 0 } : undefined;
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
        yield { node, bytes, hold: holdNothing, zeros: 0, last: false };
      }
    }
    yield { node, bytes: NOTHING, hold: holdNothing, zeros: 0, last: true };
  }
}
