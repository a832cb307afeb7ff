import { randomBytes } from 'node:crypto';
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../errno.js';
import { makeFolder } from './make-folder.js';
import { isKey } from './tier.js';

/**
 * The folder of the disk tier:
 *
 *   <spans>/sha256/ab/cdef…   an entry, named by the SHA-256 of its bytes (two digits, then the other 62)
 *   <spans>/tmp/…             files being written; renamed into place when whole
 *   <spans>/usage             what the entries add up to, roughly (disk-usage.ts)
 *   <spans>/evict.lock        held by the process that evicts
 *   <spans>/claims/…          who is fetching or scanning what just now (claims.ts)
 *
 * An entry appears by rename only, so a reader finds a whole one or none, whenever a writer dies.
 */

/** Temporary files and claims older than this belong to processes that were killed. */
const STALE_TEMPORARY_MS = 60 * 60 * 1000;

/** Other people's images may be private, so what is cached of them is for the owner's eyes. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

const writer = `${process.pid}-${randomBytes(6).toString('hex')}`;
let written = 0;

export interface DiskEntry {
  key: string;
  path: string;
  /** Bytes. */
  size: number;
  /** Last use, milliseconds since 1970, up to a minute old. */
  usedMs: number;
}

/** Where the disk tier of a cache folder lies. */
export function spansFolder(cacheDir: string): string {
  return join(cacheDir, 'spans');
}

export function entryPath(spans: string, key: string): string {
  return `${spans}/sha256/${key.slice(0, 2)}/${key.slice(2)}`;
}

/** Writes a file under a temporary name and renames it to `path`: there is never a half-written `path`. Throws what fs throws. */
export function writeWhole(spans: string, path: string, bytes: Uint8Array): void {
  const temporary = join(spans, 'tmp', `${writer}-${written++}`);
  const fd = openInFolder(temporary);
  try {
    try {
      let done = 0;
      while (done < bytes.byteLength) done += writeSync(fd, bytes, done, bytes.byteLength - done);
    } finally {
      closeSync(fd);
    }
    renameIntoFolder(temporary, path);
  } catch (error) {
    remove(temporary);
    throw error;
  }
}

function openInFolder(path: string): number {
  try {
    return openSync(path, 'wx', FILE_MODE);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    makeFolder(dirname(path), DIRECTORY_MODE);
    return openSync(path, 'wx', FILE_MODE);
  }
}

function renameIntoFolder(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    makeFolder(dirname(to), DIRECTORY_MODE);
    renameSync(from, to);
  }
}

/** Removes a file if it is there; true when it was. On POSIX a reader that has it open reads on. */
export function remove(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Removes a file; true when it is gone, by this process or by another one meanwhile. */
export function isRemoved(path: string): boolean {
  try {
    return remove(path) || lstatSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}

/** All entries, in no order. Entries that vanish meanwhile and what is no entry are passed over. */
export function* listEntries(spans: string): Generator<DiskEntry> {
  const root = join(spans, 'sha256');
  for (const prefix of namesIn(root)) {
    for (const rest of namesIn(join(root, prefix))) {
      const key = prefix + rest;
      if (prefix.length !== 2 || !isKey(key)) continue;
      const path = entryPath(spans, key);
      const stat = lstatSync(path, { throwIfNoEntry: false });
      // A link is nothing that clip puts there, and counts so that it can be dropped.
      if (stat?.isFile() || stat?.isSymbolicLink())
        yield { key, path, size: stat.size, usedMs: stat.mtimeMs };
    }
  }
}

/** Removes what killed writers left behind. */
export function removeStaleTemporaries(spans: string, olderThanMs = STALE_TEMPORARY_MS): void {
  const limit = Date.now() - olderThanMs;
  for (const folder of [join(spans, 'tmp'), join(spans, 'claims')]) {
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat && stat.mtimeMs <= limit) remove(path);
    }
  }
}

/** Takes away all of the tier but its entries, and those of its folders that are empty then. */
export function removeFolders(spans: string): void {
  removeStaleTemporaries(spans, Number.NEGATIVE_INFINITY);
  for (const name of ['usage', 'evict.lock']) remove(join(spans, name));
  for (const prefix of namesIn(join(spans, 'sha256'))) removeIfEmpty(join(spans, 'sha256', prefix));
  for (const name of ['sha256', 'tmp', 'claims', '']) removeIfEmpty(join(spans, name));
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Somebody else's file is in it, or somebody is at work.
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
