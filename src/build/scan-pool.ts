import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { compiledCore } from '../inflate/gzip/core.js';
import type { Descriptor } from '../oci/descriptor.js';
import { unpackError } from '../sent-error.js';
import { createLayerScan, type LayerJob, type LayerScan } from './layer-scan.js';
import type { FromScan, ScanThreadData, ToScan } from './scan-messages.js';
import { createTarHash } from './tar-hash.js';

/** Where layers are scanned: in this thread, or in threads of their own. */
export interface ScanPool {
  /** Layers that can be scanned at the same time. */
  readonly size: number;
  open(job: LayerJob): LayerScan;
  close(): Promise<void>;
}

/** Layers smaller than this together (compressed bytes) are done before threads have started. */
const WORTH_THREADS = 8 << 20;
/** Compressed bytes are sent to a thread in pieces of this size, of which so many may wait for it. */
const PIECE = 1 << 20;
const MAX_WAITING = 4;
/** Each scan thread takes 30 to 60 MB; more of them than this would break the bound on memory, and one registry seldom feeds more. */
const MAX_THREADS = 4;

export function createScanPool(layers: readonly Descriptor[]): ScanPool {
  const bytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  const threads = Math.min(availableParallelism(), layers.length, MAX_THREADS);
  return bytes < WORTH_THREADS || availableParallelism() < 2 ? inThisThread : inThreads(threads);
}

const inThisThread: ScanPool = {
  size: 1,
  open: (job) => createLayerScan(job, createTarHash),
  close: async () => {},
};

function inThreads(size: number): ScanPool {
  const idle: Worker[] = [];
  const all = new Set<Worker>();

  function take(): Worker {
    const worker =
      idle.pop() ??
      new Worker(new URL('./scan-thread.js', import.meta.url), {
        workerData: { core: compiledCore() } satisfies ScanThreadData,
        // What a scan throws away lives shortly; the default of 16 MB a half is taken in full before the first of it goes.
        resourceLimits: { maxYoungGenerationSizeMb: 8 },
      });
    all.add(worker);
    return worker;
  }

  return {
    size,
    open(job) {
      const worker = take();
      return threadScan(worker, job, {
        release: () => idle.push(worker),
        async stop() {
          all.delete(worker);
          await worker.terminate();
        },
      });
    },
    async close() {
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}

type Done = Awaited<ReturnType<LayerScan['end']>>;

/** One layer in one thread, which is then released for another, or stopped: it may be in the middle of this one. */
function threadScan(
  worker: Worker,
  job: LayerJob,
  thread: { release(): void; stop(): Promise<void> },
): LayerScan {
  let waiting = 0;
  let failure: Error | undefined;
  let done: Done | undefined;
  let wake: () => void = () => {};
  let piece: Uint8Array<ArrayBuffer> | undefined;
  let filled = 0;
  /** Pieces that came back. */
  const spare: Uint8Array<ArrayBuffer>[] = [];
  let gzip: boolean | undefined;

  const onMessage = (message: FromScan) => {
    if (message.type === 'taken') {
      waiting--;
      if (message.bytes) spare.push(message.bytes);
    } else if (message.type === 'failed') failure ??= unpackError(message.error);
    else done = message;
    wake();
  };
  const onError = (error: Error) => {
    failure ??= error;
    wake();
  };
  worker.on('message', onMessage);
  worker.on('error', onError);
  post({ type: 'begin', job });

  function post(message: ToScan): void {
    worker.postMessage(message, message.type === 'chunk' ? [message.bytes.buffer] : []);
  }

  async function until(ready: () => boolean): Promise<void> {
    while (!ready()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  async function sendPiece(): Promise<void> {
    if (!piece || filled === 0) return;
    await until(() => failure !== undefined || waiting < MAX_WAITING);
    if (failure) throw failure;
    waiting++;
    gzip ??= piece[0] === 0x1f && piece[1] === 0x8b;
    post({ type: 'chunk', bytes: piece.subarray(0, filled), again: gzip && filled === PIECE });
    piece = undefined;
    filled = 0;
  }

  return {
    async push(chunk) {
      for (let at = 0; at < chunk.length; ) {
        piece ??= spare.pop() ?? new Uint8Array(PIECE);
        const part = chunk.subarray(at, at + PIECE - filled);
        piece.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === PIECE) await sendPiece();
      }
      if (failure) throw failure;
    },
    async end() {
      await sendPiece();
      post({ type: 'end' });
      await until(() => failure !== undefined || done !== undefined);
      if (failure) throw failure;
      return done!;
    },
    async close() {
      worker.off('message', onMessage);
      if (!done) await thread.stop();
      worker.off('error', onError);
      if (done) thread.release();
    },
  };
}
