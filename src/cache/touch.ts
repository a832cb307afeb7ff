import { futimesSync } from 'node:fs';

/** A use renews a file's time when that is older than this: recent enough to evict by, rare enough to cost nothing. */
const TOUCH_AFTER_MS = 60_000;

/** Marks an open file of the cache folder as used; `usedMs` is when it was last. */
export function touch(fd: number, usedMs: number): void {
  const now = Date.now();
  if (now - usedMs < TOUCH_AFTER_MS) return;
  try {
    futimesSync(fd, now / 1000, now / 1000);
  } catch {
    // Another user's entry or a read-only disk: it only looks older than it is.
  }
}
