import { ClipError } from '../errors.js';
import type { BenchResult, BenchStrategy, Scenario, StrategyResult } from './results.js';

/** An earlier run's JSON, checked as far as it is compared. Throws ClipError USAGE when it is none. */
export function parseBaseline(text: string, name: string): BenchResult {
  const hint = 'make it with the same arguments and --json';
  const refuse = (why: string) => new ClipError('USAGE', `${name} is no baseline: ${why}`, { hint });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw refuse('it is not JSON');
  }
  const baseline = parsed as Partial<BenchResult> | null;
  if (
    baseline?.schema !== 1 ||
    typeof baseline.strategies !== 'object' ||
    baseline.strategies === null ||
    !Array.isArray(baseline.files)
  ) {
    throw refuse('it is not what `clip bench --json` prints');
  }
  return baseline as BenchResult;
}

const SCENARIO = ['target', 'image', 'reads', 'seed', 'concurrency'] as const;
const GATED = ['layer', 'span'] as const;

/**
 * Whether a run can be held against a baseline at all. Throws ClipError USAGE when they are of two scenarios (another target or image, other
 * reads, seed, concurrency or files), or have no strategy in common; `naive` is never gated.
 */
export function checkComparable(
  baseline: BenchResult,
  scenario: Scenario,
  strategies: readonly BenchStrategy[],
): void {
  for (const field of SCENARIO) {
    if (baseline[field] !== scenario[field]) throw otherScenario(field, baseline[field], scenario[field]);
  }
  if (JSON.stringify(baseline.files) !== JSON.stringify(scenario.files)) {
    throw otherScenario('files', 'other files', 'this run');
  }
  if (!GATED.some((strategy) => strategies.includes(strategy) && baseline.strategies[strategy])) {
    throw new ClipError('USAGE', 'the baseline and this run have no gated strategy in common', {
      hint: 'run layer or span in both',
    });
  }
}

/** One sentence for each count that got worse. Times are not compared: they are not a property of the program alone. */
export function worseThan(baseline: BenchResult, result: BenchResult): string[] {
  const worse: string[] = [];
  for (const strategy of GATED) {
    const before = baseline.strategies[strategy];
    const now = result.strategies[strategy];
    if (!before || !now) continue;
    for (const count of COUNTS) worse.push(...compare(strategy, count, [before[count], now[count]]));
  }
  return worse;
}

/** More of these is worse. Hits follow from misses. */
const COUNTS = [
  'inflates',
  'inflatedBytes',
  'misses',
  'requests',
  'fetchedBytes',
] as const satisfies readonly (keyof StrategyResult)[];

function compare(strategy: string, count: string, [before, now]: [unknown, number]): string[] {
  if (typeof before !== 'number') {
    throw new ClipError('USAGE', `the baseline has no ${count} of ${strategy}`, {
      hint: 'make it with the same arguments and --json',
    });
  }
  return now > before ? [`${strategy} has ${now} ${count} where the baseline has ${before}`] : [];
}

function otherScenario(field: string, before: unknown, now: unknown): ClipError {
  return new ClipError('USAGE', `the baseline is of another scenario: ${field} ${before}, not ${now}`, {
    hint: 'make a new baseline with the same arguments and --json',
  });
}
