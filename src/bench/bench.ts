import type { OpenedImage } from '../build/opened-image.js';
import type { OpenOptions } from '../build/options.js';
import { ClipError } from '../errors.js';
import { escapeName } from '../escape.js';
import type { Node } from '../tree/node.js';
import type { BenchResult, BenchStrategy, Scenario, StrategyResult } from './results.js';
import { runStrategy, type StrategyRun } from './run-strategy.js';

export interface BenchOptions {
  /** The target as it was typed, for the report. */
  target: string;
  /** One per read, in order. */
  nodes: readonly Node[];
  /** In the order in which they run. */
  strategies: readonly BenchStrategy[];
  seed: number;
  concurrency: number;
  open: OpenOptions;
}

/**
 * Reads the same files under each strategy, every one from empty private caches. Throws ClipError DIGEST_MISMATCH when two
 * strategies read different bytes, and whatever reading throws.
 */
export async function bench(image: OpenedImage, options: BenchOptions): Promise<BenchResult> {
  const { nodes, concurrency, open } = options;
  const described = await scenarioOf(image, options);
  const runs = new Map<BenchStrategy, StrategyRun>();
  for (const strategy of options.strategies) {
    const scenario = { indexPath: image.indexPath, nodes, concurrency, options: open };
    const run = await runStrategy(strategy, scenario);
    for (const [other, { digests }] of runs) {
      const wrong = digests.findIndex((digest, i) => digest !== run.digests[i]);
      if (wrong >= 0) throw differentBytes([other, strategy], nodes[wrong]!);
    }
    runs.set(strategy, run);
  }
  const naive = runs.get('naive')?.result.elapsedSeconds;
  const strategies: Partial<Record<BenchStrategy, StrategyResult>> = {};
  for (const [strategy, { result }] of runs) {
    const speedup = naive === undefined ? null : Math.round((naive / result.elapsedSeconds) * 100) / 100;
    strategies[strategy] = { ...result, speedup };
  }
  return { ...described, strategies };
}

/** What the result of these options will be about. */
export async function scenarioOf(
  image: OpenedImage,
  { target, nodes, seed, concurrency }: Pick<BenchOptions, 'target' | 'nodes' | 'seed' | 'concurrency'>,
): Promise<Scenario> {
  const { manifestDigest } = await image.index.describe();
  return {
    schema: 1,
    target,
    image: manifestDigest,
    reads: nodes.length,
    seed,
    concurrency,
    files: nodes.map((node) => `/${escapeName(node.path)}`),
  };
}

function differentBytes(strategies: [string, string], node: Node): ClipError {
  const [first, second] = strategies;
  const path = `/${escapeName(node.path)}`;
  return new ClipError('DIGEST_MISMATCH', `${first} and ${second} read different bytes of ${path}`, {
    hint: 'this is a bug in clip, or the index is wrong: build it again with --index build',
  });
}
