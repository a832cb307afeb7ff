import { constants } from 'node:buffer';
import { createBuffers } from '../buffers.js';
import type { TieredCache } from '../cache/tiered.js';
import { ClipError } from '../errors.js';
import { escapeName } from '../escape.js';
import type { ImageIndex } from '../format/image-index.js';
import type { Span } from '../format/model.js';
import type { Observer } from '../observer.js';
import { once } from '../once.js';
import type { ImageSource } from '../source/source.js';
import type { Node } from '../tree/node.js';
import type { ReadContext } from './context.js';
import type { Decoders } from './decoders.js';
import type { NaiveReader } from './naive.js';
import { readOneSpan } from './one-span.js';
import { createPeek } from './peek.js';
import { clipRange, planPieces } from './plan.js';
import { createRuns } from './runs.js';
import { createShelf } from './shelf.js';
import { createStrategist, type Strategy } from './strategy.js';
import { streamFile } from './stream.js';
import type { FilePart, Nodes } from './stream-files.js';
import { createThreadUse } from './thread-use.js';

export interface ReadRange {
  /** First byte, ≥ 0; default 0. Beyond the end there is nothing to read. */
  offset?: number;
  /** At most so many bytes; default all. */
  length?: number;
  signal?: AbortSignal;
}

/** Reads files of one image. All of it can be used concurrently. */
export interface ImageReader {
  readonly index: ImageIndex;
  readonly observer: Observer;
  /**
   * The bytes of a regular file, in order, in bounded memory; holes of sparse files are zeros. Chunks are views of cached data: copy
   * before changing them. Throws ClipError IS_DIRECTORY, NOT_A_FILE, CORRUPT_INDEX, CORRUPT_LAYER, DIGEST_MISMATCH,
   * NO_ROOM_FOR_LAYER, what the source throws, and the signal's reason.
   */
  read(node: Node, range?: ReadRange): AsyncIterable<Uint8Array>;
  /** As `read`, in one buffer that is the caller's own. Throws LIMIT when that is more than Node's buffers hold. */
  readAll(node: Node, range?: ReadRange): Promise<Buffer>;
  /**
   * A whole read without a promise and without a copy, if the range lies in one span that is in memory and was read before; else
   * undefined, and nothing is counted. The view must not be changed.
   */
  peek(node: Node, offset: number, length: number): Uint8Array | undefined;
  /** Looks up in the background where a file's bytes lie, so that `peek` of this very node object can answer. */
  remember(node: Node): void;
  /**
   * The bytes of many nodes, one after the other, in parts; quicker than `read` for each, above all where files are small and
   * neighbours in their layer. What is no regular file is one empty part. Throws as `read` does, at the first file that cannot
   * be read. `inDataOrder`: the nodes come in the order of their bytes in the layers, and memory holds nothing for later ones.
   */
  readFiles(
    nodes: Nodes,
    options?: { signal?: AbortSignal; inDataOrder?: boolean },
  ): Promise<AsyncIterable<FilePart>>;
  /**
   * Loads the spans of these files into the tiers. They count as `prefetched` until they are read. Throws IO as soon as the tiers that outlive
   * the process have all shown that they keep nothing.
   */
  prefetch(nodes: Iterable<Node> | AsyncIterable<Node>, options?: { signal?: AbortSignal }): Promise<void>;
  /**
   * Loads what a range of a file lies in, for somebody who reads it in order; counts as `prefetched`. Never throws: the reads that come
   * later meet what is wrong.
   */
  readAhead(node: Node, range: { offset: number; length: number }, signal: AbortSignal): Promise<void>;
  /**
   * Finishes the decoder runs that fill a layer (with `abort`: stops them), then closes the cache and the naive strategy's temporary
   * files. Index and source are the caller's.
   */
  close(options?: { abort?: boolean }): Promise<void>;
}

export interface ImageReaderOptions {
  index: ImageIndex;
  /** Called at the first read that no tier can answer. */
  source: () => Promise<ImageSource>;
  cache: TieredCache;
  strategy: Strategy;
  observer: Observer;
  /** Default: those of the inflate room. */
  decoders?: Decoders;
}

/** Files larger than this share of the memory tier pass it by. */
const LARGE_SHARE = 1 / 8;

export function createImageReader(options: ImageReaderOptions): ImageReader {
  const { index, cache, observer, strategy } = options;
  const decoders = async () => options.decoders ?? (await import('./inflate-decoders.js')).inflateDecoders;
  const buffers = createBuffers();
  const context: ReadContext = {
    index,
    cache,
    observer,
    decoders,
    buffers,
    threads: createThreadUse(decoders, buffers),
    source: once(options.source),
    runs: createRuns(),
  };
  const strategist = createStrategist(context, strategy === 'naive' ? 'span' : strategy);
  const naive = strategy === 'naive' ? createNaive(context) : undefined;
  const memory = cache.memory?.capacity ?? 0;
  const largest = memory * LARGE_SHARE;
  const shelf = createShelf(memory, buffers);
  const peek = createPeek(context, strategy);
  const closing = new AbortController();
  const underway = new Set<Promise<void>>();

  function stream(node: Node, options: ReadRange): AsyncIterable<Uint8Array> {
    const { offset = 0, length = Number.POSITIVE_INFINITY, signal } = options;
    const range = clipRange(node, offset, length, () => printable(node));
    if (naive) return readNaively(naive, { node, range, signal });
    return spansOf(node, range, signal);
  }

  async function* spansOf(
    node: Node,
    range: { offset: number; length: number },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    if (range.length === 0) return;
    const plan = strategist.plan(node.layer);
    try {
      yield* streamFile(context, node, {
        range,
        plan,
        keepInMemory: node.entry.size <= largest,
        signal,
      });
    } finally {
      plan.lookups.end();
    }
  }

  async function* read(node: Node, range: ReadRange = {}): AsyncGenerator<Uint8Array> {
    // What cannot be read (a directory) throws here, and counts as no read, like a path that does not exist.
    const chunks = stream(node, range);
    let bytes = 0;
    try {
      for await (const chunk of chunks) {
        bytes += chunk.byteLength;
        yield chunk;
      }
    } finally {
      observer.emit({ type: 'read', bytes });
    }
  }

  /** A read, if it is of one span. */
  async function readWhole(node: Node, options: ReadRange): Promise<Uint8Array | undefined> {
    const { offset = 0, length = Number.POSITIVE_INFINITY, signal } = options;
    const range = clipRange(node, offset, length, () => printable(node));
    const plan = strategist.plan(node.layer);
    const keepInMemory = node.entry.size <= largest;
    let bytes: Uint8Array | undefined;
    let isRead = true;
    try {
      bytes = await readOneSpan(context, node, { range, plan, keepInMemory, signal });
      isRead = bytes !== undefined;
    } finally {
      plan.lookups.end();
      if (isRead) observer.emit({ type: 'read', bytes: bytes?.byteLength ?? 0 });
    }
    return bytes;
  }

  async function loadAhead(
    node: Node,
    range: { offset: number; length: number },
    how: { keepInMemory: boolean; signal: AbortSignal },
  ): Promise<void> {
    const { fillSpans } = await import('./fill.js');
    const spans = new Map<number, Span>();
    for await (const piece of planPieces(index, node, range)) {
      if ('span' in piece) spans.set(piece.span.index, piece.span);
    }
    const ordered = [...spans.values()].sort((a, b) => a.index - b.index);
    await fillSpans(context, ordered, { origin: strategist.ahead(node.layer), ...how });
  }

  return {
    index,
    observer,
    read,
    async readAll(node, range = {}) {
      const { size } = node.entry;
      const length = Math.min(range.length ?? size, Math.max(size - (range.offset ?? 0), 0));
      if (length > constants.MAX_LENGTH) {
        throw new ClipError('LIMIT', `${printable(node)} is too large to be read at once`, {
          hint: 'read it as a stream',
        });
      }
      const chunks: Uint8Array[] = [];
      const whole = naive ? undefined : await readWhole(node, range);
      if (whole) chunks.push(whole);
      else for await (const chunk of read(node, range)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    peek: peek.peek,
    remember: peek.remember,
    async readFiles(nodes, { signal, inDataOrder = false } = {}) {
      const { eachFile, streamFiles } = await import('./stream-files.js');
      if (naive) return eachFile(read, nodes, signal);
      return streamFiles(context, strategist, { nodes, largest: inDataOrder ? 0 : largest, shelf, signal });
    },
    async prefetch(nodes, { signal } = {}) {
      const { fillSpans } = await import('./fill.js');
      const wanted = new Map<number, Map<number, Span>>();
      let bytes = 0;
      let done = 0;
      for await (const node of nodes) {
        if (node.entry.type !== 'file') continue;
        const spans = wanted.get(node.layer) ?? new Map<number, Span>();
        wanted.set(node.layer, spans);
        for await (const piece of planPieces(index, node, { offset: 0, length: node.entry.size })) {
          if ('zeros' in piece || spans.has(piece.span.index)) continue;
          spans.set(piece.span.index, piece.span);
          bytes += piece.span.length;
        }
      }
      const keepInMemory = cache.room(bytes * 2).memory || !cache.room(bytes).lower;
      for (const [layer, spans] of wanted) {
        const ordered = [...spans.values()].sort((a, b) => a.index - b.index);
        const origin = strategist.ahead(layer);
        await fillSpans(context, ordered, {
          origin,
          keepInMemory,
          lasting: true,
          signal,
          onLoaded: progress,
        });
      }

      function progress(loaded: number): void {
        done += loaded;
        observer.emit({ type: 'progress', task: 'prefetching', done, total: bytes, unit: 'bytes' });
      }
    },
    async readAhead(node, range, signal) {
      if (naive || node.entry.type !== 'file') return;
      const keepInMemory = node.entry.size <= largest || !cache.room(range.length).lower;
      const either = AbortSignal.any([signal, closing.signal]);
      const work = loadAhead(node, range, { keepInMemory, signal: either }).catch((error: unknown) => {
        // Who reads these bytes meets the same error and reports it.
        observer.emit({ type: 'debug', message: `reading ahead ended early: ${String(error)}` });
      });
      underway.add(work);
      await work.finally(() => underway.delete(work));
    },
    async close({ abort = false } = {}) {
      closing.abort();
      await Promise.all(underway);
      await strategist.close();
      await context.runs.close(abort);
      await context.threads.close();
      await (await naive)?.close();
      await cache.close();
    },
  };
}

async function createNaive(context: ReadContext): Promise<NaiveReader> {
  const { createNaiveReader } = await import('./naive.js');
  return createNaiveReader(context);
}

async function* readNaively(
  naive: Promise<NaiveReader>,
  what: {
    node: Node;
    range: { offset: number; length: number };
    signal: AbortSignal | undefined;
  },
): AsyncGenerator<Uint8Array> {
  const reader = await naive;
  yield* reader.read(what.node, what.range, what.signal);
}

function printable(node: Node): string {
  return `/${escapeName(node.path)}`;
}
