import type { WorkerResult } from '../../bench/fleet.js';
import { formatSeconds, formatSize } from '../units.js';
import type { Style } from './style.js';
import { type Column, table } from './table.js';

const right = (title: string): Column => ({ title, align: 'right' });

const COLUMNS: readonly Column[] = [
  right('WORKER'),
  right('INFLATES'),
  right('INFLATED'),
  right('REQUESTS'),
  right('FETCHED'),
  right('MEMORY'),
  right('DISK'),
  right('REMOTE'),
  right('MISSES'),
  right('TIME'),
  right('P50'),
  right('P99'),
];

/** The table of `clip bench --workers`: what each worker had to inflate and fetch, and which tier answered its lookups. */
export function fleetTable(workers: readonly WorkerResult[], style: Style): string {
  const text = table(COLUMNS, workers.map(row));
  const [titles, ...rows] = text.split('\n');
  return [style.bold(titles!), ...rows].join('\n');
}

function row(result: WorkerResult): string[] {
  const { hits, latency } = result;
  return [
    String(result.worker),
    String(result.inflates),
    formatSize(result.inflatedBytes),
    String(result.requests),
    formatSize(result.fetchedBytes),
    String(hits.memory),
    String(hits.disk),
    String(hits.remote),
    String(result.misses),
    formatSeconds(result.elapsedSeconds),
    ...[latency.p50, latency.p99].map((ms) => `${ms.toFixed(ms < 10 ? 2 : 1)} ms`),
  ];
}
