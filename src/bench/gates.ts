import type { BenchResult, BenchStrategy, StrategyResult } from './results.js';

/** A limit that a run has to keep; without a strategy it holds for every strategy but naive, which is never gated. */
export interface Bound {
  strategy: 'layer' | 'span' | undefined;
  limit: number;
}

export interface Gates {
  maxInflates: readonly Bound[];
  minHitRate: readonly Bound[];
  maxFetchedBytes: readonly Bound[];
  maxRequests: readonly Bound[];
}

interface Rule {
  gate: keyof Gates;
  flag: string;
  value(result: StrategyResult): number;
  fails(value: number, limit: number): boolean;
}

const RULES: readonly Rule[] = [
  { gate: 'maxInflates', flag: '--max-inflates', value: (result) => result.inflates, fails: above },
  { gate: 'minHitRate', flag: '--min-hit-rate', value: (result) => result.hitRate ?? 0, fails: below },
  {
    gate: 'maxFetchedBytes',
    flag: '--max-fetched-bytes',
    value: (result) => result.fetchedBytes,
    fails: above,
  },
  { gate: 'maxRequests', flag: '--max-requests', value: (result) => result.requests, fails: above },
];

/** One sentence for each gate that a strategy failed. */
export function failedGates(gates: Gates, strategies: BenchResult['strategies']): string[] {
  const failed: string[] = [];
  for (const { gate, flag, value, fails } of RULES) {
    for (const { strategy, limit } of gates[gate]) {
      for (const gated of strategy ? [strategy] : GATED) {
        const result = strategies[gated];
        if (!result || !fails(value(result), limit)) continue;
        failed.push(`${gated} has ${shown(value(result))} where ${flag} allows ${shown(limit)}`);
      }
    }
  }
  return failed;
}

/** Strategies that gates name; every one has to be among those that run. */
export function gatedStrategies(gates: Gates): Set<BenchStrategy> {
  const named = RULES.flatMap(({ gate }) => gates[gate].map((bound) => bound.strategy));
  return new Set(named.filter((strategy) => strategy !== undefined));
}

const GATED = ['layer', 'span'] as const;

function above(value: number, limit: number): boolean {
  return value > limit;
}

function below(value: number, limit: number): boolean {
  return value < limit;
}

function shown(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}
