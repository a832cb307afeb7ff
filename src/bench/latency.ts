/** Milliseconds; all 0 when there was nothing to measure. */
export interface Latency {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** Percentiles by the nearest-rank method: the smallest sample that at least p % of all samples do not exceed. */
export function latencyOf(samples: ArrayLike<number>): Latency {
  const sorted = Float64Array.from(samples).sort();
  const rank = (p: number) => rounded(sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0);
  return { p50: rank(50), p90: rank(90), p99: rank(99), max: rank(100) };
}

/** Microseconds are the finest that means anything here. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
