/**
 * Milliseconds on a clock that never goes back. Not `performance.now()`: at its first use Node loads all of node:perf_hooks, 1 ms
 * of a start.
 */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
