/**
 * Copies of what cannot be read in the middle: what comes through a pipe, compressed archives, exports of an engine. They live
 * below the cache folder, named by their content:
 *
 *   <cache-dir>/spool/sha256/ab/cdef…   a whole file, named by its SHA-256 (laid out as the disk tier is)
 *   <cache-dir>/spool/names/<hash>      the digest that a file or an engine's image was spooled as
 *   <cache-dir>/spool/tmp/…             being written; renamed into place when whole
 *
 * The least recently used go first where they exceed the disk quota, which the spool has for itself.
 */

import { createHash, randomBytes } from 'node:crypto';
import { utimesSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import {
  contentStore,
  type DiskStore,
  entryPath,
  filesIn,
  removeStaleTemporaries,
  renameIntoFolder,
  writeWhole,
} from '../../cache/disk-files.js';
import { LOW_WATER, prune } from '../../cache/disk-usage.js';
import { isFile } from '../../cache/is-file.js';
import { makeFolder } from '../../cache/make-folder.js';
import { readWhole } from '../../cache/read-whole.js';
import { isKey } from '../../cache/tier.js';
import { errnoOf, isDiskFull } from '../../errno.js';
import { ClipError } from '../../errors.js';
import { unlessAborted } from '../../http/errors.js';
import { silentObserver } from '../../observer.js';
import type { ReadOptions } from '../source.js';

export interface SpoolPlace {
  cacheDir: string;
  /** Bytes that the spool may take. */
  quota: number;
}

/** The place, or USAGE where caches are turned off; `what` needs it. */
export function requireSpool(place: SpoolPlace | undefined, what: string): SpoolPlace {
  if (place !== undefined && place.quota > 0) return place;
  throw new ClipError('USAGE', `${what} cannot be read in the middle: that needs the cache on disk`, {
    hint: 'leave out --no-cache and --disk-cache 0, or name an uncompressed archive file',
  });
}

/**
 * Writes a stream into the spool, whole or not at all; returns the path. Throws LIMIT above the quota, NO_SPACE, IO, and what the
 * stream throws.
 */
export async function spoolStream(
  chunks: AsyncIterable<Uint8Array>,
  place: SpoolPlace,
  options: ReadOptions & { what: string },
): Promise<string> {
  const folder = spoolFolder(place.cacheDir);
  const temporary = join(folder, 'tmp', `${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    removeStaleTemporaries(folder);
    const { key, size } = await writeHashed(temporary, chunks, {
      ...options,
      // More would be evicted at once, to make room (`prune`).
      limit: Math.floor(place.quota * LOW_WATER),
    });
    const path = entryPath(folder, key);
    renameIntoFolder(temporary, path);
    // What was just written is the newest, and fits: others go.
    prune(spoolStore(place.cacheDir), {
      maxBytes: place.quota,
      observer: options.observer ?? silentObserver,
    });
    (options.observer ?? silentObserver).emit({ type: 'debug', message: 'spooled', fields: { path, size } });
    return path;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw spoolError(error, options.what);
  }
}

/** Bytes of the digest that a name was spooled as, a newline behind it. */
const MAX_NAME = 65;

/** The path of what was spooled under this name, marked as used; undefined if it is not there any more. */
export function findSpooled(place: SpoolPlace, name: string): string | undefined {
  const folder = spoolFolder(place.cacheDir);
  try {
    const key = readWhole(namePath(folder, name), MAX_NAME)?.toString('latin1').trim() ?? '';
    if (!isKey(key)) return undefined;
    const path = entryPath(folder, key);
    if (!isFile(path)) return undefined;
    touchSpooled(path);
    return path;
  } catch {
    return undefined;
  }
}

/** Remembers what a name was spooled as. That it fails costs another copy, no more. */
export function rememberSpooled(place: SpoolPlace, name: string, path: string): void {
  const folder = spoolFolder(place.cacheDir);
  try {
    writeWhole(folder, namePath(folder, name), Buffer.from(`${keyOfSpooled(path)}\n`));
  } catch {
    // Nothing to do about it.
  }
}

/** The copies of a cache folder, and the names that lead to them. */
export function spoolStore(cacheDir: string): DiskStore {
  const copies = contentStore(spoolFolder(cacheDir));
  const names = join(copies.folder, 'names');
  return {
    ...copies,
    *folders() {
      yield names;
      yield* copies.folders();
    },
    aside: () => filesIn(names),
  };
}

/** The SHA-256 that a spooled file's bytes have. */
export function keyOfSpooled(path: string): string {
  const [rest, prefix] = path.split(sep).reverse();
  return `${prefix}${rest}`;
}

/** Whether a path is that of a spooled file: its absence means that the cache has lost it, not that the user mistyped. */
export function isSpooled(path: string): boolean {
  return /[\\/]spool[\\/]sha256[\\/][0-9a-f]{2}[\\/][0-9a-f]{62}$/.test(path);
}

/** Marks a spooled file as used, so that others are evicted first. */
export function touchSpooled(path: string): void {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // Another user's, or gone: then it will be found missing.
  }
}

function spoolFolder(cacheDir: string): string {
  return join(resolve(cacheDir), 'spool');
}

function namePath(folder: string, name: string): string {
  return join(folder, 'names', createHash('sha256').update(name).digest('hex'));
}

async function writeHashed(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  options: ReadOptions & { what: string; limit: number },
): Promise<{ key: string; size: number }> {
  const { what, limit, signal, observer = silentObserver } = options;
  const handle = await createFile(path);
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of abortable(chunks, signal)) {
      size += chunk.length;
      if (size > limit) {
        throw new ClipError('LIMIT', `${what} is larger than the cache on disk may grow (${limit} bytes)`, {
          hint: 'raise --disk-cache, or unpack it into a file and name that',
        });
      }
      hash.update(chunk);
      await writeAll(handle, chunk);
      observer.emit({ type: 'progress', task: `spool ${what}`, done: size, total: undefined, unit: 'bytes' });
    }
  } finally {
    await handle.close();
  }
  return { key: hash.digest('hex'), size };
}

/** Whoever empties the cache takes the folder away while it is empty. */
async function createFile(path: string): Promise<FileHandle> {
  for (let attempt = 0; ; attempt++) {
    try {
      makeFolder(dirname(path), 0o700);
      return await open(path, 'wx', 0o600);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt >= 3) throw error;
    }
  }
}

/** A pipe may be silent for long: who gives up does not wait for what comes next. */
async function* abortable(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal);
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    if (!ended) iterator.return?.().catch(() => {});
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    done += (await handle.write(chunk, done, chunk.length - done)).bytesWritten;
  }
}

function spoolError(error: unknown, what: string): unknown {
  if (error instanceof ClipError || !(error instanceof Error) || !('code' in error)) return error;
  return new ClipError(
    isDiskFull(error) ? 'NO_SPACE' : 'IO',
    `${what} cannot be spooled (${String(error.code)})`,
    {
      hint: 'free some space, or choose another folder with --cache-dir',
      cause: error,
    },
  );
}
