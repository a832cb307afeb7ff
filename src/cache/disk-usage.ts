import {
  appendFileSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errno.js';
import { type Observer, silentObserver } from '../observer.js';
import { holderOf, isGone, whoAmI } from './claims.js';
import { type DiskStore, inFolder, isRemoved, remove, removeStale, writeWhole } from './disk-files.js';

/**
 * Keeps a store of the cache folder within its quota with many processes writing, and without counting the folder each time. The file `usage`
 * holds one number per line; their sum is about what the entries add up to. A writer appends what it added
 * (one small O_APPEND write is atomic on a local file system); whoever sees the sum pass the quota counts the folder, removes the
 * least recently used entries and writes the true sum. A lost line makes the sum too low until the next count,
 * which is due at the latest when the file has grown long or old.
 */

/** Eviction goes down to this share of the quota, so that the next put does not evict again. */
export const LOW_WATER = 0.9;
/** A process may have added this share of the quota before it says so. */
const REPORT_SHARE = 1 / 64;
const MAX_USAGE_FILE = 16 * 1024;
const MAX_USAGE_AGE_MS = 24 * 60 * 60 * 1000;
/** An evictor that has held its lock for longer than this is dead. */
const STALE_LOCK_MS = 60_000;

export interface DiskUsage {
  /** Notes bytes that were put; evicts when the quota is passed. Never throws. */
  add(bytes: number): void;
  /** Writes down what was noted. Never throws. */
  flush(): void;
}

export interface PruneResult {
  /** Entries and bytes that are left. */
  entries: number;
  bytes: number;
  removedEntries: number;
  removedBytes: number;
  /** Entries that should have gone and that this user may not remove; they are among those that are left. */
  stuckEntries: number;
}

export function createDiskUsage(store: DiskStore, quota: number, observer: Observer): DiskUsage {
  let unreported = 0;
  function report(): void {
    if (unreported === 0) return;
    const bytes = unreported;
    unreported = 0;
    try {
      const total = addToTotal(store.folder, bytes);
      if (total === undefined || total > quota) prune(store, { maxBytes: quota, observer });
    } catch {
      // The folder may be gone or read-only by now; the tier finds that out by itself at its next write.
    }
  }
  return {
    add(bytes) {
      unreported += bytes;
      if (unreported >= quota * REPORT_SHARE) report();
    },
    flush: report,
  };
}

/** Not through a link that somebody put there, and without waiting for who reads a pipe. */
const OWN_FILE = constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Appends to the usage file; the new sum, or undefined when the folder must be counted anew, which makes the file anew too. */
function addToTotal(folder: string, bytes: number): number | undefined {
  const path = join(folder, 'usage');
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  const file = openSync(path, OWN_FILE);
  try {
    const known = fstatSync(file);
    if (!known.isFile() || known.size > MAX_USAGE_FILE) return undefined;
    // Each count makes the file anew. A file system that keeps no time of birth says 0.
    if (known.birthtimeMs > 0 && Date.now() - known.birthtimeMs > MAX_USAGE_AGE_MS) return undefined;
    appendFileSync(file, `${bytes}\n`);
    let total = 0;
    for (const line of textOf(file).split('\n')) total += Number(line);
    return total >= 0 && Number.isFinite(total) ? total : undefined;
  } finally {
    closeSync(file);
  }
}

/** What the open usage file holds, with what others add meanwhile. By its path it may be another by now, and a pipe. */
function textOf(file: number): string {
  const bytes = Buffer.alloc(2 * MAX_USAGE_FILE);
  return bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
}

/**
 * Counts the entries and, where they exceed `maxBytes`, removes the least recently used until `LOW_WATER` of it is left. One
 * process does this at a time; undefined when another is at it. What is being read stays readable: a reader has the file open.
 */
export function prune(
  store: DiskStore,
  options: { maxBytes: number; observer?: Observer },
): PruneResult | undefined {
  const { maxBytes, observer = silentObserver } = options;
  return underLock(store.folder, () => {
    const entries = [...store.entries()];
    const result: PruneResult = {
      entries: entries.length,
      bytes: entries.reduce((sum, entry) => sum + entry.size, 0),
      removedEntries: 0,
      removedBytes: 0,
      stuckEntries: 0,
    };
    let stays = 0;
    if (result.bytes > maxBytes) {
      const now = Date.now();
      entries.sort((a, b) => a.usedMs - b.usedMs);
      for (const entry of entries) {
        if (result.bytes <= maxBytes * LOW_WATER) break;
        if (Math.abs(now - entry.usedMs) < store.keptMs) {
          stays++;
          continue;
        }
        if (remove(entry.path)) {
          result.removedEntries++;
          result.removedBytes += entry.size;
          observer.emit({ type: 'evicted', tier: 'disk', key: entry.key, bytes: entry.size });
        } else if (!isRemoved(entry.path)) {
          result.stuckEntries++;
          continue;
        }
        result.entries--;
        result.bytes -= entry.size;
      }
    }
    removeStale(store.temporaries());
    // What cannot go now does not have every writer count the folder.
    const known =
      stays + result.stuckEntries > 0 ? Math.min(result.bytes, maxBytes * LOW_WATER) : result.bytes;
    try {
      writeWhole(store.folder, join(store.folder, 'usage'), Buffer.from(`${Math.floor(known)}\n`));
    } catch (error) {
      // Somebody emptied the store meanwhile.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    return result;
  });
}

function underLock<T>(folder: string, action: () => T): T | undefined {
  const lock = join(folder, 'evict.lock');
  if (!acquire(lock) && !(isStale(lock) && remove(lock) && acquire(lock))) return undefined;
  try {
    return action();
  } finally {
    remove(lock);
  }
}

function acquire(lock: string): boolean {
  try {
    // A link that names who holds it, as a claim does: a lock of a killed process is taken over at once.
    inFolder(lock, () => symlinkSync(whoAmI(), lock));
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function isStale(lock: string): boolean {
  const stat = lstatSync(lock, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  return isGone(holderOf(lock)) || Math.abs(Date.now() - stat.mtimeMs) > STALE_LOCK_MS;
}
