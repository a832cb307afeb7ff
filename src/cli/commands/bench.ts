import { readFile } from 'node:fs/promises';
import { checkComparable, parseBaseline, worseThan } from '../../bench/baseline.js';
import { bench, scenarioOf } from '../../bench/bench.js';
import { bundledImage } from '../../bench/bundled-image.js';
import { chooseFiles, naiveBytes } from '../../bench/choose-files.js';
import { workerOrder } from '../../bench/fleet.js';
import { failedGates, gatedStrategies } from '../../bench/gates.js';
import { type BenchResult, type BenchStrategy, STRATEGIES } from '../../bench/results.js';
import type { OpenedImage } from '../../build/opened-image.js';
import type { OpenOptions } from '../../build/options.js';
import { errnoOf } from '../../errno.js';
import { ClipError } from '../../errors.js';
import type { ImageIndex } from '../../format/image-index.js';
import type { Node } from '../../tree/node.js';
import type { BENCH_FLAGS, Input } from '../command-flags.js';
import type { Context } from '../context.js';
import { benchTable } from '../output/bench-table.js';
import { shownPath } from '../output/format.js';
import { resolveArgument } from '../paths.js';
import { counted, formatSize } from '../units.js';

type BenchFlags = Input<typeof BENCH_FLAGS>['flags'];

/** `clip bench`: what the same reads cost under each strategy. Status 7 when a gate or the baseline does not hold. */
export async function run(context: Context, { args, flags }: Input<typeof BENCH_FLAGS>): Promise<void> {
  const order = workerOrder(process.env);
  if (order) {
    const image = await context.open(order.indexPath);
    const nodes = await chosenNodes(image.index, flags);
    return (await import('./bench-fleet.js')).runWorker(context, {
      order,
      nodes,
      concurrency: flags.concurrency,
    });
  }
  const target = args[0] ?? bundledImage();
  checkGates(flags);
  if (flags.workers !== undefined) return runWorkers(context, target, { ...flags, workers: flags.workers });
  const baseline = flags.baseline === undefined ? undefined : await readBaseline(flags.baseline);
  const image = await context.open(target);
  const nodes = await chosenNodes(image.index, flags);
  const strategies = strategiesToRun(context, nodes, flags);
  const source = sourceOf(context, image, target);
  const { seed, concurrency } = flags;
  // Before the reads, which may take minutes.
  if (baseline)
    checkComparable(baseline, await scenarioOf(image, { target, nodes, seed, concurrency }), strategies);
  const result = await bench(image, {
    target,
    nodes,
    strategies,
    seed,
    concurrency,
    open: { ...withoutRemote(context.openOptions), ...(source === undefined ? {} : { source }) },
  });
  const text = flags.json ? `${JSON.stringify(result, null, 2)}\n` : report(context, result, image);
  await context.stdout.print(text);
  const failed = failedGates(flags, result.strategies);
  if (baseline) failed.push(...worseThan(baseline, result));
  if (failed.length === 0) return;
  throw new ClipError('GATE_FAILED', failed.join('; '), {
    hint: 'the counts are in the table; --json prints them all',
  });
}

async function runWorkers(
  context: Context,
  target: string,
  flags: BenchFlags & { workers: number },
): Promise<void> {
  const { fleetStrategy, runFleetBench } = await import('./bench-fleet.js');
  fleetStrategy(context, { flags });
  const image = await context.open(target);
  const nodes = await chosenNodes(image.index, flags);
  await runFleetBench(context, { target, image, nodes, source: sourceOf(context, image, target), flags });
}

/** Strategies are compared from empty caches, so they share none. */
function withoutRemote({ remoteCache: _, ...options }: OpenOptions): OpenOptions {
  return options;
}

function checkGates(flags: BenchFlags): void {
  for (const gated of gatedStrategies(flags)) {
    if (flags.strategy.length === 0 || flags.strategy.includes(gated)) continue;
    throw new ClipError('USAGE', `a gate names ${gated}, which --strategy leaves out`, {
      hint: `add --strategy ${gated} or drop the gate`,
    });
  }
}

async function readBaseline(path: string): Promise<BenchResult> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = errnoOf(error);
    throw new ClipError('IO', `cannot read the baseline ${path}: ${code}`, {
      hint: 'make one with clip bench --json > FILE',
      cause: error,
    });
  }
  return parseBaseline(text, path);
}

async function chosenNodes(index: ImageIndex, flags: BenchFlags): Promise<Node[]> {
  if (flags.file.length === 0) return chooseFiles(index, flags.reads, flags.seed);
  const named: Node[] = [];
  for (const path of flags.file) {
    const node = await resolveArgument(index, path, { followLast: true });
    if (node.entry.type !== 'file') {
      throw new ClipError(
        node.entry.type === 'directory' ? 'IS_DIRECTORY' : 'NOT_A_FILE',
        `${shownPath(node.path)} is a ${node.entry.type}, not a regular file`,
        {
          hint: 'bench reads whole regular files',
        },
      );
    }
    named.push(node);
  }
  return Array.from({ length: flags.reads }, (_, i) => named[i % named.length]!);
}

/** Says first what naive is going to inflate, and leaves it out above the limit unless `--strategy naive` asks for it. */
function strategiesToRun(context: Context, nodes: readonly Node[], flags: BenchFlags): BenchStrategy[] {
  const asked = STRATEGIES.filter((strategy) => flags.strategy.includes(strategy));
  const strategies: readonly BenchStrategy[] = asked.length > 0 ? asked : STRATEGIES;
  if (!strategies.includes('naive')) return [...strategies];
  const bytes = naiveBytes(nodes);
  const tooMuch = bytes > flags.naiveLimit && !asked.includes('naive');
  const fate = tooMuch
    ? `, over --naive-limit ${formatSize(flags.naiveLimit)}: skipped; --strategy naive runs it`
    : '';
  if (!context.settings.quiet) {
    context.tell(`clip: naive inflates ${formatSize(bytes)} for ${counted(nodes.length, 'read')}${fate}\n`);
  }
  return strategies.filter((strategy) => strategy !== 'naive' || !tooMuch);
}

/** Every strategy opens the index file, whose own hint may be relative or missing: the blobs come from what was typed. */
function sourceOf(context: Context, image: OpenedImage, target: string): string | undefined {
  return context.settings.source ?? (image.origin === 'file' ? undefined : target);
}

function report(context: Context, result: BenchResult, image: OpenedImage): string {
  const distinct = new Set(result.files).size;
  // An index of the store may have been made of the same image in another place.
  const named = image.origin === 'file' ? (image.index.sourceHint ?? result.target) : result.target;
  const how = `seed ${result.seed}, concurrency ${result.concurrency}`;
  const what = `${counted(result.reads, 'read')} of ${counted(distinct, 'file')} of ${named}`;
  return `${what} (${how})\n\n${benchTable(result, context.style)}`;
}
