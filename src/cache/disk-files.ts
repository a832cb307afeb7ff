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
import { basename, dirname, join } from 'node:path';
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

/** A folder that goes as often as it is made is not made again. */
const ATTEMPTS = 4;

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
  return inFolder(path, () => openSync(path, 'wx', FILE_MODE));
}

export function renameIntoFolder(from: string, to: string): void {
  inFolder(to, () => renameSync(from, to));
}

/** Does something to `path`, whose folder is made where it is missing: whoever empties a store takes folders away while they are empty. */
export function inFolder<T>(path: string, act: () => T): T {
  for (let attempt = 1; ; attempt++) {
    try {
      if (attempt > 1) makeFolder(dirname(path), DIRECTORY_MODE);
      return act();
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt === ATTEMPTS) throw error;
    }
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

/**
 * One of the stores below a cache folder: spans, copies of archives (source/archive/spool.ts), indexes (build/stored-indexes.ts).
 * Each is bounded, counted, checked and emptied by the same code; beside its entries it has `usage` and `evict.lock`.
 */
export interface DiskStore {
  readonly folder: string;
  /** Milliseconds for which what was used stays, whatever the bound says. */
  readonly keptMs: number;
  /** All entries, in no order. What vanishes meanwhile and what is no entry is passed over. */
  entries(): Iterable<DiskEntry>;
  /** Files being written, or left by writers that were killed. */
  temporaries(): Iterable<string>;
  /** Its folders, the innermost first; each goes with its last file when the store is emptied. */
  folders(): Iterable<string>;
  /** Files that only lead to entries. */
  aside?(): Iterable<string>;
}

/** The disk tier of a cache folder. */
export function spansStore(cacheDir: string): DiskStore {
  return contentStore(spansFolder(cacheDir));
}

/** A store of files that are named by their content. */
export function contentStore(folder: string): DiskStore {
  return {
    folder,
    keptMs: 0,
    entries: () => listEntries(folder),
    *temporaries() {
      for (const name of ['tmp', 'claims']) yield* filesIn(join(folder, name));
    },
    *folders() {
      yield* filesIn(join(folder, 'sha256'));
      for (const name of ['sha256', 'tmp', 'claims', '']) yield join(folder, name);
    },
  };
}

/** All entries of a store of files that are named by their content. */
export function* listEntries(folder: string): Generator<DiskEntry> {
  const root = join(folder, 'sha256');
  for (const prefix of namesIn(root)) {
    for (const rest of namesIn(join(root, prefix))) {
      const key = prefix + rest;
      if (prefix.length !== 2 || !isKey(key)) continue;
      const entry = entryAt(key, entryPath(folder, key));
      if (entry) yield entry;
    }
  }
}

export function entryAt(key: string, path: string): DiskEntry | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  // A link is nothing that clip puts there, and counts so that it can be dropped.
  if (!stat?.isFile() && !stat?.isSymbolicLink()) return undefined;
  return { key, path, size: stat.size, usedMs: stat.mtimeMs };
}

/** Removes what killed writers left behind in a store of files that are named by their content. */
export function removeStaleTemporaries(folder: string, olderThanMs = STALE_TEMPORARY_MS): void {
  removeStale(contentStore(folder).temporaries(), olderThanMs);
}

export function removeStale(temporaries: Iterable<string>, olderThanMs = STALE_TEMPORARY_MS): void {
  const limit = Date.now() - olderThanMs;
  for (const path of temporaries) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat && stat.mtimeMs <= limit) remove(path);
  }
}

/** Takes away all of a store but its entries and what others are writing, and those of its folders that are empty then. */
export function removeRest(store: DiskStore): void {
  for (const path of store.temporaries()) if (!isBeingWritten(path)) remove(path);
  for (const path of store.aside?.() ?? []) remove(path);
  for (const name of ['usage', 'evict.lock']) remove(join(store.folder, name));
  for (const folder of store.folders()) removeIfEmpty(folder);
}

/** Temporary files bear their writer's process id, which says nothing of a process in another container. */
const WRITERS_FILE = /^(?:\.[a-z]+-)?([0-9]{1,10})(?:-[0-9a-f]{12}.*)?$/;
const SILENT_MS = 60_000;

function isBeingWritten(path: string): boolean {
  const pid = WRITERS_FILE.exec(basename(path))?.[1];
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (pid === undefined || stat === undefined) return false;
  const silent = Date.now() - stat.mtimeMs;
  return silent < SILENT_MS || (silent < STALE_TEMPORARY_MS && isRunning(Number(pid)));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Somebody else's file is in it, or somebody is at work.
  }
}

/** The paths of what is in a folder. */
export function filesIn(folder: string): string[] {
  return namesIn(folder).map((name) => join(folder, name));
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
