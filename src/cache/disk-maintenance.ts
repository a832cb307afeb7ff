import { createHash } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf } from '../errno.js';
import { type Observer, silentObserver } from '../observer.js';
import {
  type DiskEntry,
  isRemoved,
  listEntries,
  removeFolders,
  removeStaleTemporaries,
  spansFolder,
} from './disk-files.js';
import { type PruneResult, prune } from './disk-usage.js';

/** What `clip cache info | prune | clear | verify` do to the disk tier below a cache folder. All work while other processes use it. */

export interface DiskInfo {
  /** The folder of the tier; it may not exist. */
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
}

export interface VerifyResult {
  entries: number;
  bytes: number;
  /** Keys of the entries whose bytes did not have their digest; they were removed, but for `left`. */
  corrupt: string[];
  /** Corrupt entries that this user may not remove. */
  left: number;
}

export function diskInfo(cacheDir: string): DiskInfo {
  return folderInfo(spansFolder(cacheDir));
}

/** The same of another folder that is laid out as the tier's is. */
export function folderInfo(directory: string): DiskInfo {
  const info: DiskInfo = {
    directory,
    entries: 0,
    bytes: 0,
    leastRecentUseMs: undefined,
    mostRecentUseMs: undefined,
  };
  for (const { size, usedMs } of listEntries(directory)) {
    info.entries++;
    info.bytes += size;
    info.leastRecentUseMs = Math.min(info.leastRecentUseMs ?? usedMs, usedMs);
    info.mostRecentUseMs = Math.max(info.mostRecentUseMs ?? usedMs, usedMs);
  }
  return info;
}

/**
 * Removes the least recently used entries where they exceed `maxBytes`, and what killed writers left. Undefined when another process is
 * evicting at this moment.
 */
export function pruneDisk(cacheDir: string, maxBytes: number): PruneResult | undefined {
  return prune(spansFolder(cacheDir), { maxBytes });
}

/**
 * Removes the tier with all its entries, and nothing that is not of the tier; returns what was removed, what could not be, and whether its
 * folder is gone. A writer that is at work makes its folders again.
 */
export function clearDisk(cacheDir: string): {
  directory: string;
  removed: { entries: number; bytes: number };
  left: { entries: number; bytes: number };
  isGone: boolean;
} {
  const directory = spansFolder(cacheDir);
  const removed = { entries: 0, bytes: 0 };
  const left = { entries: 0, bytes: 0 };
  for (const { path, size } of listEntries(directory)) {
    const sum = isRemoved(path) ? removed : left;
    sum.entries++;
    sum.bytes += size;
  }
  removeFolders(directory);
  return { directory, removed, left, isGone: !existsSync(directory) };
}

/** Reads every entry and removes those that do not have their digest. Tells `progress` in bytes. */
export async function verifyDisk(cacheDir: string, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { observer = silentObserver, signal } = options;
  const directory = spansFolder(cacheDir);
  const entries = [...listEntries(directory)];
  const total = entries.reduce((sum, entry) => sum + entry.size, 0);
  const result: VerifyResult = { entries: 0, bytes: 0, corrupt: [], left: 0 };
  for (const entry of entries) {
    signal?.throwIfAborted();
    const digest = await digestOf(entry);
    if (digest === undefined) continue;
    result.entries++;
    result.bytes += entry.size;
    if (digest !== entry.key) {
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
  removeStaleTemporaries(directory);
  return result;
}

/** A link leads to what is no entry, and a pipe or a device may never end. */
const ENTRY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** SHA-256 of the file; '' when it cannot be read; undefined when it was evicted meanwhile, or is not for this user to read. */
async function digestOf(entry: DiskEntry): Promise<string | undefined> {
  const digest = createHash('sha256');
  try {
    const file = await open(entry.path, ENTRY);
    for await (const chunk of file.createReadStream({ highWaterMark: 1 << 20 })) digest.update(chunk);
  } catch (error) {
    const code = errnoOf(error);
    return code === 'ENOENT' || code === 'EACCES' ? undefined : '';
  }
  return digest.digest('hex');
}
