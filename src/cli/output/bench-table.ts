import {
  type BenchResult,
  type BenchStrategy,
  STRATEGIES,
  type StrategyResult,
} from '../../bench/results.js';
import { formatSeconds, formatSize } from '../units.js';
import type { Style } from './style.js';
import { type Column, table } from './table.js';

const right = (title: string): Column => ({ title, align: 'right' });

const COLUMNS: readonly Column[] = [
  { title: 'STRATEGY', align: 'left' },
  right('INFLATED'),
  right('TIME'),
  right('INFLATES'),
  right('FETCHED'),
  right('REQUESTS'),
  right('HITS'),
  right('HIT RATE'),
  right('P50'),
  right('P90'),
  right('P99'),
  right('MAX'),
  right('SPEED-UP'),
];

/** The table of `clip bench`: what was inflated and how long it took first. Latencies are milliseconds. */
export function benchTable(result: BenchResult, style: Style): string {
  const ran = STRATEGIES.filter((strategy) => result.strategies[strategy]);
  const text = table(
    COLUMNS,
    ran.map((strategy) => row(strategy, result.strategies[strategy]!)),
  );
  const [titles, ...rows] = text.split('\n');
  return [style.bold(titles!), ...rows].join('\n');
}

function row(strategy: BenchStrategy, result: StrategyResult): string[] {
  const { latency, hits } = result;
  return [
    strategy,
    formatSize(result.inflatedBytes),
    formatSeconds(result.elapsedSeconds),
    String(result.inflates),
    formatSize(result.fetchedBytes),
    String(result.requests),
    String(hits.memory + hits.disk + hits.remote),
    result.hitRate === null ? '-' : `${(result.hitRate * 100).toFixed(1)} %`,
    ...[latency.p50, latency.p90, latency.p99, latency.max].map((ms) => `${ms.toFixed(ms < 10 ? 2 : 1)} ms`),
    result.speedup === null ? '-' : `${result.speedup.toFixed(1)} x`,
  ];
}
