import { fork } from 'node:child_process';
import { ClipError } from '../errors.js';
import type { ClipEvent, Observer } from '../observer.js';
import type { StrategyResult } from './results.js';
import type { StrategyRun } from './run-strategy.js';

/** What a worker read, and what that cost it alone. */
export interface WorkerResult extends Omit<StrategyResult, 'speedup'> {
  /** From 1; the first runs alone, from whatever the remote cache holds, and the others together after it. */
  worker: number;
}

/** What `clip bench --workers N --json` prints; the fields are documented in docs/cli.md. */
export interface FleetResult {
  schema: 1;
  target: string;
  /** Digest of the image's manifest. */
  image: string;
  reads: number;
  seed: number;
  concurrency: number;
  /** One path per read, in order. */
  files: string[];
  strategy: 'layer' | 'span';
  workers: WorkerResult[];
}

/** What a worker is told by its parent, beside the command line that it shares with it. */
export interface WorkerOrder {
  indexPath: string;
  /** Image to read blobs from; undefined: the one that the index names. */
  source: string | undefined;
  strategy: 'layer' | 'span';
}

type Warning = Extract<ClipEvent, { type: 'warning' }>;

/** What a worker sends when it is done. */
export interface WorkerReport extends StrategyRun {
  warnings: readonly Warning[];
}

export interface FleetOptions extends WorkerOrder {
  workers: number;
  /** Told of what the workers warn of, each warning once. */
  observer: Observer;
  /** The program's file and its arguments, as this process was started with them. */
  argv: readonly string[];
  signal: AbortSignal;
}

/** The variable that makes `clip bench` a worker: not for users. */
const ORDER = 'CLIP_BENCH_WORKER_ORDER';

/** The order, in a process that a fleet started. */
export function workerOrder(env: NodeJS.ProcessEnv): WorkerOrder | undefined {
  const text = env[ORDER];
  return text === undefined || process.send === undefined ? undefined : (JSON.parse(text) as WorkerOrder);
}

/** Hands a worker's run to the process that started it. */
export function reportRun(run: WorkerReport): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(run, undefined, {}, (error) => (error ? reject(error) : resolve()));
  });
}

/**
 * Runs workers, each a process of its own with private caches, that share nothing but the remote cache: the first alone, the
 * others at once after it. Throws ClipError FAILED when one ends without a result, DIGEST_MISMATCH when two read different bytes.
 */
export async function runFleet(options: FleetOptions): Promise<WorkerResult[]> {
  const first = await runWorker(1, options);
  const numbers = Array.from({ length: options.workers - 1 }, (_, i) => i + 2);
  const controller = new AbortController();
  const stop = () => controller.abort();
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    const others = await Promise.all(
      numbers.map(async (worker) => {
        try {
          return await runWorker(worker, { ...options, signal: controller.signal });
        } catch (error) {
          controller.abort();
          throw error;
        }
      }),
    );
    for (const [i, { digests }] of others.entries()) {
      if (digests.every((digest, read) => digest === first.digests[read])) continue;
      throw new ClipError('DIGEST_MISMATCH', `workers 1 and ${i + 2} read different bytes`, {
        hint: 'this is a bug in clip: please report it',
      });
    }
    const warnings = [first, ...others].flatMap((report) => report.warnings);
    const distinct = new Map(warnings.map((warning) => [warning.message, warning]));
    for (const warning of distinct.values()) options.observer.emit(warning);
    return [first, ...others].map(({ result }, i) => ({ worker: i + 1, ...result }));
  } finally {
    options.signal.removeEventListener('abort', stop);
  }
}

function runWorker(worker: number, options: FleetOptions): Promise<WorkerReport> {
  const { argv, signal, indexPath, source, strategy } = options;
  const [program = '', ...args] = argv;
  const order: WorkerOrder = { indexPath, source, strategy };
  const child = fork(program, args, {
    env: { ...process.env, [ORDER]: JSON.stringify(order) },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    signal,
    killSignal: 'SIGTERM',
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    let run: WorkerReport | undefined;
    child.on('message', (message) => {
      run = message as WorkerReport;
    });
    child.on('error', (error) => {
      if (signal.aborted) reject(error);
    });
    child.on('close', (status) => {
      if (run) return resolve(run);
      const reason = /^clip: (.*)$/m.exec(said)?.[1] ?? `it ended with status ${status}`;
      reject(
        new ClipError('FAILED', `worker ${worker} of the fleet failed: ${reason}`, {
          hint: 'run the same bench without --workers to see more',
        }),
      );
    });
  });
}
