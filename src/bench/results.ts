import type { ReceiptFields } from '../read/receipt.js';
import type { Latency } from './latency.js';

export const STRATEGIES = ['naive', 'layer', 'span'] as const;
export type BenchStrategy = (typeof STRATEGIES)[number];

/** What one strategy's reads cost; `elapsedSeconds` is the time of the reads alone. */
export interface StrategyResult extends Omit<ReceiptFields, 'type'> {
  latency: Latency;
  /** Time of naive divided by this one's; null when naive did not run. */
  speedup: number | null;
}

/** What is read, and how: two runs of one scenario can be compared. */
export interface Scenario {
  schema: 1;
  target: string;
  /** Digest of the image's manifest. */
  image: string;
  reads: number;
  seed: number;
  concurrency: number;
  /** One path per read, in order. */
  files: string[];
}

/** What `clip bench --json` prints; the fields are documented in docs/cli.md. */
export interface BenchResult extends Scenario {
  strategies: Partial<Record<BenchStrategy, StrategyResult>>;
}
