import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { openImage } from '../build/open-image.js';
import type { OpenOptions } from '../build/options.js';
import { now } from '../clock.js';
import { ClipError } from '../errors.js';
import { inParallel } from '../in-parallel.js';
import { fanOut } from '../observer.js';
import type { ImageReader } from '../read/reader.js';
import { createReceipt } from '../read/receipt.js';
import type { Node } from '../tree/node.js';
import { type Latency, latencyOf } from './latency.js';
import type { BenchStrategy, StrategyResult } from './results.js';

export interface Scenario {
  /** The index file that every strategy reads. */
  indexPath: string;
  /** One per read, in order. */
  nodes: readonly Node[];
  /** Reads in flight at once. */
  concurrency: number;
  options: OpenOptions;
}

export interface StrategyRun {
  result: Omit<StrategyResult, 'speedup'> & { latency: Latency };
  /** SHA-256 of the bytes that each read got. */
  digests: string[];
}

/** Runs the scenario under one strategy, with caches of its own that are empty at first and gone afterwards. */
export async function runStrategy(strategy: BenchStrategy, scenario: Scenario): Promise<StrategyRun> {
  const { options } = scenario;
  const cacheDir = await mkdtemp(join(tmpdir(), 'clip-bench-')).catch((error: unknown) => {
    throw new ClipError('IO', `cannot make a folder in ${tmpdir()}: ${(error as Error).message}`, {
      hint: 'set TMPDIR to a folder that takes files',
      cause: error,
    });
  });
  const receipt = createReceipt();
  try {
    const image = await openImage(scenario.indexPath, {
      ...options,
      strategy,
      cacheDir,
      // `layer` needs a tier that holds a layer.
      useCache: options.useCache || strategy === 'layer',
      observer: fanOut(receipt, options.observer),
    });
    const { samples, digests, elapsedSeconds } = await readFiles(image.reader, strategy, scenario).finally(
      () => image.close(),
    );
    // Closing finishes a decoder run that fills a layer: only now is it known what the reads cost.
    const { type: _, ...fields } = receipt.toJSON();
    return { result: { ...fields, elapsedSeconds, latency: latencyOf(samples) }, digests };
  } finally {
    await rm(cacheDir, { recursive: true, force: true });
  }
}

interface Readings {
  /** Milliseconds of each read. */
  samples: Float64Array;
  digests: string[];
  elapsedSeconds: number;
}

async function readFiles(reader: ImageReader, strategy: string, scenario: Scenario): Promise<Readings> {
  const { nodes, concurrency, options } = scenario;
  const { observer, signal } = options;
  const samples = new Float64Array(nodes.length);
  const digests = new Array<string>(nodes.length);
  const began = now();
  let breath = began;
  await inParallel(nodes, concurrency, async (node, i) => {
    signal?.throwIfAborted();
    const start = now();
    const bytes = await reader.readAll(node, signal ? { signal } : {});
    samples[i] = now() - start;
    digests[i] = createHash('sha256').update(bytes).digest('hex');
    observer.emit({
      type: 'progress',
      task: `bench ${strategy}`,
      done: i + 1,
      total: nodes.length,
      unit: 'files',
    });
    // Warm reads wait for nothing: signals and the progress bar need a turn of the event loop now and then.
    if (now() - breath > 20) {
      breath = now();
      await setImmediate();
    }
  });
  return { samples, digests, elapsedSeconds: (now() - began) / 1000 };
}
