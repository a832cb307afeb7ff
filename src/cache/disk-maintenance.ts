import { createHash } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf } from '../errno.js';
import { type Observer, silentObserver } from '../observer.js';
import { type DiskEntry, type DiskStore, isRemoved, removeRest, removeStale } from './disk-files.js';
import { WITHOUT_WAITING } from './open-flags.js';

/** What `clip cache info | prune | clear | verify` do to a store below a cache folder. All work while other processes use it. */

export interface DiskInfo {
  /** The folder of the store; it may not exist. */
  directory: string;
  entries: number;
  bytes: number;
  /** Milliseconds since 1970; undefined when there are no entries. */
  leastRecentUseMs: number | undefined;
  mostRecentUseMs: number | undefined;
}

export interface VerifyOptions {
  observer?: Observer;
  signal?: AbortSignal;
  /** Whether an entry holds; undefined when it was removed meanwhile, or is not for this user to read. Default: the key is its SHA-256. */
  check?: (entry: DiskEntry) => Promise<boolean | undefined>;
}

export interface VerifyResult {
  entries: number;
  bytes: number;
  /** Keys of the entries that did not hold; they were removed, but for `left`. */
  corrupt: string[];
  /** Corrupt entries that this user may not remove. */
  left: number;
}

export function storeInfo(store: DiskStore): DiskInfo {
  const info: DiskInfo = {
    directory: store.folder,
    entries: 0,
    bytes: 0,
    leastRecentUseMs: undefined,
    mostRecentUseMs: undefined,
  };
  for (const { size, usedMs } of store.entries()) {
    info.entries++;
    info.bytes += size;
    info.leastRecentUseMs = Math.min(info.leastRecentUseMs ?? usedMs, usedMs);
    info.mostRecentUseMs = Math.max(info.mostRecentUseMs ?? usedMs, usedMs);
  }
  return info;
}

/**
 * Removes a store with all its entries, and nothing that is not of it; returns what was removed, what could not be, and whether its
 * folder is gone. A writer that is at work makes its folders again.
 */
export function clearStore(store: DiskStore): {
  directory: string;
  removed: { entries: number; bytes: number };
  left: { entries: number; bytes: number };
  isGone: boolean;
} {
  const directory = store.folder;
  const removed = { entries: 0, bytes: 0 };
  const left = { entries: 0, bytes: 0 };
  for (const { path, size } of store.entries()) {
    const sum = isRemoved(path) ? removed : left;
    sum.entries++;
    sum.bytes += size;
  }
  removeRest(store);
  return { directory, removed, left, isGone: !existsSync(directory) };
}

/** Reads every entry and removes those that do not hold. Tells `progress` in bytes. */
export async function verifyStore(store: DiskStore, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { observer = silentObserver, signal, check = hasItsDigest } = options;
  const entries = [...store.entries()];
  const total = entries.reduce((sum, entry) => sum + entry.size, 0);
  const result: VerifyResult = { entries: 0, bytes: 0, corrupt: [], left: 0 };
  for (const entry of entries) {
    signal?.throwIfAborted();
    const holds = await check(entry);
    if (holds === undefined) continue;
    result.entries++;
    result.bytes += entry.size;
    if (!holds) {
      if (!isRemoved(entry.path)) result.left++;
      result.corrupt.push(entry.key);
      observer.emit({ type: 'corrupt', tier: 'disk', key: entry.key });
    }
    observer.emit({
      type: 'progress',
      task: 'verify cache',
      done: result.bytes,
      total,
      unit: 'bytes',
    });
  }
  removeStale(store.temporaries());
  return result;
}

/** A link leads to what is no entry, and a pipe or a device may never end. */
const ENTRY = WITHOUT_WAITING | constants.O_NOFOLLOW;

/** Whether the file's SHA-256 is its key. */
export async function hasItsDigest(entry: Pick<DiskEntry, 'key' | 'path'>): Promise<boolean | undefined> {
  const digest = createHash('sha256');
  try {
    const file = await open(entry.path, ENTRY);
    for await (const chunk of file.createReadStream({ highWaterMark: 1 << 20 })) digest.update(chunk);
  } catch (error) {
    const code = errnoOf(error);
    return code === 'ENOENT' || code === 'EACCES' ? undefined : false;
  }
  return digest.digest('hex') === entry.key;
}
