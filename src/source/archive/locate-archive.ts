/** Where an archive can be read in the middle: the file itself, or a spooled copy of it. */

import { fstatSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { ClipError } from '../../errors.js';
import { type ContentFile, fileError, readFileRange } from '../content-store.js';
import { openFile } from '../layout.js';
import type { ReadOptions } from '../source.js';
import { STDIN, whatIs } from './archive-errors.js';
import {
  findSpooled,
  isSpooled,
  rememberSpooled,
  requireSpool,
  type SpoolPlace,
  spoolStream,
  touchSpooled,
} from './spool.js';
import { compressionOf, uncompressed } from './uncompress.js';

const HEAD = 6;

export interface LocateOptions extends ReadOptions {
  spool: SpoolPlace | undefined;
  /** Standard input; default the process's. */
  input?: (() => AsyncIterable<Uint8Array>) | undefined;
  /** False leaves the compression alone: a root file system tar is read in the middle although it is compressed. */
  uncompress: boolean;
}

export interface LocatedArchive {
  path: string;
  /** The path differs from the one that was named, and is what an index has to name to find the archive again. */
  isCopy: boolean;
}

/** Throws NOT_FOUND, IO, CORRUPT_TAR, UNSUPPORTED, USAGE where there is no spool, or as spooling does. */
export async function locateArchive(path: string, options: LocateOptions): Promise<LocatedArchive> {
  if (path === STDIN) return { path: await spoolInput(options), isCopy: true };
  const what = whatIs(path);
  const file = await openFile(path).catch((error: unknown) => {
    throw fileError(error, what);
  });
  if (file === undefined) throw missing(path, what);
  try {
    if (isSpooled(path)) touchSpooled(path);
    const head = new Uint8Array(Math.min(HEAD, file.size));
    await file.read(head, 0);
    if (!options.uncompress || compressionOf(head, what) === undefined) return { path, isCopy: false };
    const place = requireSpool(options.spool, `${what} is compressed and`);
    const name = await identityOf(path);
    const copy = findSpooled(place, name) ?? (await spoolFile(file, place, { ...options, what }));
    rememberSpooled(place, name, copy);
    // An index names the archive, not the copy: that can be made again.
    return { path: copy, isCopy: false };
  } catch (error) {
    throw fileError(error, what);
  } finally {
    await file.close();
  }
}

async function spoolInput(options: LocateOptions): Promise<string> {
  const what = whatIs(STDIN);
  const place = requireSpool(options.spool, what);
  if (options.input === undefined && process.stdin.isTTY) {
    throw new ClipError('USAGE', 'an archive is to be read from standard input, which is a terminal', {
      hint: 'pipe it in: docker save IMAGE | clip index docker-archive:-',
    });
  }
  if (options.input === undefined && fstatSync(0).isDirectory()) {
    throw new ClipError('IS_DIRECTORY', 'standard input is a directory, not an archive', {
      hint: `pipe a tar in, or name the folder of a layout: oci:DIR`,
    });
  }
  const chunks = options.input?.() ?? standardInput(options.signal);
  return await spoolStream(options.uncompress ? uncompressed(chunks, what) : chunks, place, {
    ...options,
    what,
  });
}

async function* standardInput(signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  // A pipe that is waited for keeps the process; one that is closed does not.
  const close = () => process.stdin.destroy();
  signal?.addEventListener('abort', close, { once: true });
  try {
    yield* process.stdin as AsyncIterable<Uint8Array>;
  } finally {
    signal?.removeEventListener('abort', close);
  }
}

async function spoolFile(
  file: ContentFile,
  place: SpoolPlace,
  options: ReadOptions & { what: string },
): Promise<string> {
  const store = { open: async () => ({ ...file, async close() {} }), async close() {} };
  const chunks = readFileRange(store, '', { start: 0, end: file.size }, options);
  return await spoolStream(uncompressed(chunks, options.what), place, options);
}

/** A file that was written to since has another identity. */
async function identityOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
  return `file ${await realpath(path)} ${dev} ${ino} ${size} ${mtimeNs}`;
}

function missing(path: string, what: string): ClipError {
  if (!isSpooled(path))
    return new ClipError('NOT_FOUND', `${what} does not exist`, { hint: 'check the path' });
  return new ClipError('NOT_FOUND', 'the cache no longer holds the archive that this index was built from', {
    hint: 'name the image with --source, or pipe the archive in again: --source docker-archive:- (oci-archive:-, tar:-)',
  });
}
