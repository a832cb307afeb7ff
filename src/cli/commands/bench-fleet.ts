import {
  type FleetResult,
  reportRun,
  runFleet,
  type WorkerOrder,
  type WorkerReport,
} from '../../bench/fleet.js';
import { failedGates, type Gates } from '../../bench/gates.js';
import type { BenchStrategy } from '../../bench/results.js';
import { runStrategy } from '../../bench/run-strategy.js';
import type { OpenedImage } from '../../build/opened-image.js';
import { ClipError } from '../../errors.js';
import { escapeName } from '../../escape.js';
import { fanOut, type Observer } from '../../observer.js';
import type { Node } from '../../tree/node.js';
import type { Context } from '../context.js';
import { fleetTable } from '../output/fleet-table.js';
import { counted } from '../units.js';

export interface FleetRun {
  target: string;
  image: OpenedImage;
  nodes: readonly Node[];
  /** Where blobs are read from, if not where the index says. */
  source: string | undefined;
  flags: Gates & {
    workers: number;
    strategy: readonly BenchStrategy[];
    reads: number;
    seed: number;
    concurrency: number;
    baseline: string | undefined;
    json: boolean;
  };
}

/** Refuses, before anything is read, what a fleet cannot do. Throws ClipError USAGE. */
export function fleetStrategy(context: Context, { flags }: Pick<FleetRun, 'flags'>): 'layer' | 'span' {
  const { remoteCache, useCache, offline } = context.openOptions;
  if (remoteCache === undefined || !useCache || offline) {
    throw new ClipError('USAGE', '--workers needs a remote cache, which is all that the workers share', {
      hint: 'name one with --remote-cache URL, and leave out --no-cache and --offline',
    });
  }
  const [strategy = 'span', ...more] = flags.strategy;
  if (more.length > 0 || strategy === 'naive' || flags.baseline !== undefined) {
    throw new ClipError('USAGE', '--workers takes one strategy, layer or span, and no baseline', {
      hint: 'gates such as --max-inflates 0 hold for workers 2 and later',
    });
  }
  return strategy;
}

/** `clip bench --workers N`: a fleet that shares a remote cache. Gates hold for each worker but the first. */
export async function runFleetBench(context: Context, run: FleetRun): Promise<void> {
  const { image, nodes, flags, target, source } = run;
  const strategy = fleetStrategy(context, run);
  const workers = await runFleet({
    workers: flags.workers,
    indexPath: image.indexPath,
    source,
    strategy,
    argv: process.argv.slice(1),
    observer: context.observer,
    signal: context.signal,
  });
  const { reads, seed, concurrency } = flags;
  const { manifestDigest } = await image.index.describe();
  const files = nodes.map((node) => `/${escapeName(node.path)}`);
  const about = { schema: 1, target, image: manifestDigest, reads, seed, concurrency } as const;
  const result: FleetResult = { ...about, files, strategy, workers };
  const how = `seed ${seed}, concurrency ${concurrency}, ${strategy}`;
  const title = `${counted(flags.workers, 'worker')}, ${counted(reads, 'read')} each (${how})`;
  const text = flags.json
    ? `${JSON.stringify(result, null, 2)}\n`
    : `${title}\n\n${fleetTable(workers, context.style)}`;
  await context.stdout.print(text);
  const failed = workers
    .slice(1)
    .flatMap(({ worker, ...counts }) =>
      failedGates(flags, { [strategy]: { ...counts, speedup: null } }).map(
        (why) => `worker ${worker}: ${why}`,
      ),
    );
  if (failed.length > 0) {
    throw new ClipError('GATE_FAILED', failed.join('; '), {
      hint: 'the counts are in the table; --json prints them all',
    });
  }
}

/** What a process does that a fleet started: the same reads, from empty private caches, reported to its parent. */
export async function runWorker(
  context: Context,
  options: { order: WorkerOrder; nodes: readonly Node[]; concurrency: number },
): Promise<void> {
  const { order, nodes, concurrency } = options;
  const { source, indexPath } = order;
  const warnings: WorkerReport['warnings'][number][] = [];
  const collector: Observer = {
    emit(event) {
      if (event.type === 'warning') warnings.push(event);
    },
  };
  const open = {
    ...context.openOptions,
    ...(source === undefined ? {} : { source }),
    observer: fanOut(context.openOptions.observer, collector),
  };
  const run = await runStrategy(order.strategy, { indexPath, nodes, concurrency, options: open });
  await reportRun({ ...run, warnings });
}
