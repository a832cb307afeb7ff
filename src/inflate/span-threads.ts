import { Worker } from 'node:worker_threads';
import type { Buffers } from '../buffers.js';
import { ClipError } from '../errors.js';
import type { SpanContext } from '../format/model.js';
import { unpackError } from '../sent-error.js';
import { compiledCore } from './gzip/core.js';
import { checkLength } from './gzip/resume.js';
import type { FromSpanThread, InflatedSpan, SpanJob, SpanThreadData } from './span-messages.js';

/** Threads that inflate gzip spans. An idle one does not keep the process alive. */
export interface SpanThreads {
  readonly size: number;
  /** Whether a thread takes work. Until one does (a start takes some 40 ms), and when none can be had, the work is the caller's. */
  ready(): boolean;
  /**
   * Inflates a span; `compressed` must be alone in its buffer, which is gone afterwards. So is the value, in a buffer that may be larger.
   * Throws what `inflateSpan` throws, the signal's reason when it aborts before the span's turn, and ClipError FAILED when the threads
   * break down or are closed.
   */
  inflate(job: Omit<SpanJob, 'id' | 'target'>, signal: AbortSignal): Promise<InflatedSpan>;
  close(): Promise<void>;
}

/** Spans at a thread: one it works on, one that it need not wait for. */
const AT_ONCE = 2;

interface Waiting {
  job: Omit<SpanJob, 'target'>;
  signal: AbortSignal;
  resolve(result: InflatedSpan): void;
  reject(error: unknown): void;
}

interface Thread {
  worker: Worker;
  /** By the job's id. */
  busy: Map<number, Waiting>;
}

/** Values lie in memory of `buffers`, and that of the compressed bytes goes back there. */
export function createSpanThreads(size: number, buffers: Buffers): SpanThreads {
  const threads = new Set<Thread>();
  const started = new Set<Worker>();
  const queue: Waiting[] = [];
  let closed = false;
  let nextId = 0;

  function start(): void {
    const worker = new Worker(new URL('./span-thread.js', import.meta.url), {
      workerData: { core: compiledCore() } satisfies SpanThreadData,
      // Only messages are on its heap.
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    const thread: Thread = { worker, busy: new Map() };
    started.add(worker);
    worker.unref();
    worker.on('message', (message: FromSpanThread) => {
      if (closed) return;
      if (message.type === 'ready') {
        threads.add(thread);
        startNext();
      } else answer(thread, message);
      serve();
    });
    worker.on('error', (error) => lose(thread, error));
    worker.on('exit', () => lose(thread, undefined));
  }

  function answer({ worker, busy }: Thread, message: Exclude<FromSpanThread, { type: 'ready' }>): void {
    const waiting = busy.get(message.id);
    busy.delete(message.id);
    if (busy.size === 0) worker.unref();
    if (message.type === 'failed') waiting?.reject(unpackError(message.error));
    else {
      buffers.give(message.compressed);
      waiting?.resolve(message);
    }
  }

  /** A thread that ended for whatever reason: what it had is lost, and with the last of them what waits. */
  function lose(thread: Thread, cause: unknown): void {
    threads.delete(thread);
    started.delete(thread.worker);
    const lost = [...thread.busy.values()];
    thread.busy.clear();
    if (threads.size === 0) lost.push(...queue.splice(0));
    for (const { reject } of lost) {
      reject(new ClipError('FAILED', 'a thread that inflates spans ended before its time', { cause }));
    }
  }

  function serve(): void {
    while (queue.length > 0) {
      const thread = leastBusy(threads);
      if (!thread || thread.busy.size >= AT_ONCE) return;
      const waiting = queue.shift()!;
      if (waiting.signal.aborted) waiting.reject(waiting.signal.reason);
      else give(thread, waiting);
    }
  }

  function give({ worker, busy }: Thread, waiting: Waiting): void {
    const { job } = waiting;
    busy.set(job.id, waiting);
    worker.ref();
    const target = buffers.take(job.span.length);
    worker.postMessage({ ...job, target } satisfies SpanJob, [job.compressed.buffer, target.buffer]);
  }

  /** One after the other: each takes a core for its start, and the reader's own thread has much to do just then. */
  function startNext(): void {
    if (started.size < size && !closed) start();
  }

  startNext();

  return {
    size,
    ready: () => threads.size > 0,
    inflate(job, signal) {
      return new Promise((resolve, reject) => {
        checkLength(job.span, job.compressed);
        const context = ownContext(job.context);
        queue.push({ job: { ...job, context, id: nextId++ }, signal, resolve, reject });
        serve();
      });
    },
    async close() {
      closed = true;
      await Promise.all([...started].map((worker) => worker.terminate()));
    },
  };
}

function leastBusy(threads: Iterable<Thread>): Thread | undefined {
  let best: Thread | undefined;
  for (const thread of threads) if (!best || thread.busy.size < best.busy.size) best = thread;
  return best;
}

/** A view would be sent with the whole buffer that it is part of. */
function ownContext({ window, header }: SpanContext): SpanContext {
  return {
    window: new Uint8Array(window),
    header: header && { bit: header.bit, bytes: new Uint8Array(header.bytes) },
  };
}
