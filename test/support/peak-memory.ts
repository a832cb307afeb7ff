/** Loaded into a process by `--import`: writes the most memory that it ever had, in bytes, to the file CLIP_TEST_PEAK names. */
import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** Not `resourceUsage().maxRSS`: on Linux that starts with what the parent had when it forked. */
function peak(): number {
  const match = /^VmHWM:\s+([0-9]+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return match === null ? process.memoryUsage().rss : Number(match[1]) * 1024;
}

if (isMainThread && process.env.CLIP_TEST_PEAK !== undefined) {
  const path = process.env.CLIP_TEST_PEAK;
  process.on('exit', () => writeFileSync(path, String(peak())));
}
