/** Named files that an image is made of, in a directory or inside a tar: what layouts and archives are read through. */

import { ClipError } from '../errors.js';
import { abortError } from '../http/errors.js';
import { silentObserver } from '../observer.js';
import { MAX_DOCUMENT } from '../oci/json.js';
import type { ReadOptions } from './source.js';

export interface ContentStore {
  /** Opens a file by its path inside the store (`index.json`, `blobs/sha256/…`); undefined if it is not there. */
  open(path: string): Promise<ContentFile | undefined>;
  close(): Promise<void>;
}

export interface ContentFile {
  /** Bytes. */
  size: number;
  /** The same object for all names of one file, where the store knows. */
  identity?: object;
  /** Fills `target` from `position` on as far as the file goes; returns the bytes read. */
  read(target: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

const CHUNK = 256 << 10;

/** A whole small file, at most 4 MiB (LIMIT). Throws NOT_FOUND; `what` names it. */
export async function readDocument(
  store: ContentStore,
  path: string,
  options: ReadOptions & { what: string },
): Promise<Uint8Array> {
  const file = await openOrThrow(store, path, options.what);
  try {
    if (file.size > MAX_DOCUMENT) {
      throw new ClipError('LIMIT', `${options.what} is larger than 4 MiB`, {
        hint: 'this is no ordinary image',
      });
    }
    const bytes = Buffer.alloc(file.size);
    for (let position = 0; position < bytes.length; ) {
      position += await readSome(file, bytes.subarray(position), { ...options, position });
    }
    return bytes;
  } finally {
    await file.close();
  }
}

export interface FileRange {
  start: number;
  end: number;
  /** What the file must measure, if that is known. */
  size?: number;
}

/** [start, end) of a file in chunks; a chunk is valid until the next one is asked for. Throws as its parts do. */
export async function* readFileRange(
  store: ContentStore,
  path: string,
  range: FileRange,
  options: ReadOptions & { what: string },
): AsyncGenerator<Uint8Array> {
  const { start, end, size } = range;
  const { what } = options;
  if (!Number.isSafeInteger(end) || start < 0 || start > end || (size !== undefined && end > size)) {
    throw new ClipError('CORRUPT_INDEX', `bytes ${start} to ${end} lie outside ${what}`, {
      hint: 'the index does not fit the image; build it anew',
    });
  }
  const file = await openOrThrow(store, path, what);
  try {
    if (size !== undefined && file.size !== size) {
      throw new ClipError('CORRUPT_IMAGE', `${what} has ${file.size} bytes, the manifest says ${size}`, {
        hint: 'the copy is damaged; copy the image anew',
      });
    }
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, end - start));
    for (let position = start; position < end; ) {
      const part = buffer.subarray(0, Math.min(buffer.length, end - position));
      const count = await readSome(file, part, { ...options, position });
      position += count;
      yield part.subarray(0, count);
    }
  } finally {
    await file.close();
  }
}

async function readSome(
  file: ContentFile,
  target: Uint8Array,
  options: ReadOptions & { what: string; position: number },
): Promise<number> {
  if (options.signal?.aborted === true) throw abortError(options.signal);
  const count = await file.read(target, options.position).catch((error: unknown) => {
    throw fileError(error, options.what);
  });
  if (count === 0) throw new ClipError('CORRUPT_IMAGE', `${options.what} became shorter while it was read`);
  (options.observer ?? silentObserver).emit({ type: 'fetched', bytes: count });
  return count;
}

async function openOrThrow(store: ContentStore, path: string, what: string): Promise<ContentFile> {
  const file = await store.open(path).catch((error: unknown) => {
    throw fileError(error, what, { where: (error as { path?: unknown }).path });
  });
  if (file !== undefined) return file;
  throw new ClipError('NOT_FOUND', `${what} is missing`, {
    hint: 'the copy is incomplete, or of another image; name the right one with --source, or copy the image anew',
  });
}

/** A system error as a ClipError IO; others as they are. `where`: the path of what `what` does not name. */
export function fileError(error: unknown, what: string, { where }: { where?: unknown } = {}): unknown {
  if (error instanceof ClipError || !(error instanceof Error) || !('code' in error)) return error;
  return new ClipError('IO', `${what} cannot be read (${String(error.code)})`, {
    hint: `check that ${typeof where === 'string' ? where : 'it'} is a file, and its permissions`,
    cause: error,
  });
}
