import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clip, type Run, root } from '../support/run-clip.js';

export interface Measured extends Run {
  /** The most memory that the process had (resident set), MiB. */
  peak: number;
  seconds: number;
}

/** Runs the built program and measures what it took. */
export async function measure(args: readonly string[], dir: string): Promise<Measured> {
  const peakFile = join(dir, 'peak');
  const preload = join(root, 'dist/test/support/peak-memory.js');
  const began = performance.now();
  const env = { CLIP_TEST_PEAK: peakFile, NODE_OPTIONS: `--import=file://${preload}` };
  const run = await clip(args, { cacheDir: join(dir, 'cache'), env });
  const seconds = (performance.now() - began) / 1000;
  return { ...run, seconds, peak: Number(readFileSync(peakFile, 'utf8')) / 2 ** 20 };
}
