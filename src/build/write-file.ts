import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '../cache/make-folder.js';
import { errnoOf } from '../errno.js';
import { ClipError } from '../errors.js';
import { escapeText } from '../escape.js';
import { fromFsError } from './fs-error.js';

export interface WriteOptions {
  signal?: AbortSignal | undefined;
  /** Looks at the complete file before it gets its name; what it throws leaves nothing behind. */
  check?: (path: string) => Promise<void>;
  /** The name is clip's own: a device, a pipe or a link that stands there gives way. One that a user gave may be meant. */
  replace?: boolean;
}

/** A name in the cache folder. */
export const OWN_PLACE: WriteOptions = { replace: true };

/**
 * Writes a file so that no reader ever sees a part of it: a temporary name in the same folder, then a rename. Nothing is left
 * behind when it fails or `signal` aborts. Throws NO_SPACE, IO, NOT_A_FILE where a device, a pipe or a folder has the name.
 */
export async function writeFileWhole(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { signal, check, replace = false }: WriteOptions = {},
): Promise<void> {
  // Not made of the file's own name, which may be as long as the file system takes.
  const temporary = join(dirname(path), `.clip-${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
  try {
    const there = replace ? undefined : await stat(path).catch(() => undefined);
    if (there && !there.isFile()) {
      throw new ClipError('NOT_A_FILE', `${escapeText(path)} is there, and no regular file`, {
        hint: 'name a file: it is written under another name first, and renamed',
      });
    }
    const handle = await createFile(temporary);
    try {
      for await (const chunk of chunks) {
        signal?.throwIfAborted();
        await writeAll(handle, chunk);
      }
    } finally {
      await handle.close();
    }
    await check?.(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    if (signal?.aborted) throw signal.reason;
    throw fromFsError(error, `cannot write ${path}`);
  }
}

/** Whoever empties the cache takes a folder away while it is empty. */
async function createFile(path: string): Promise<FileHandle> {
  for (let attempt = 0; ; attempt++) {
    try {
      makeFolder(dirname(path));
      return await open(path, 'wx');
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt >= 3) throw error;
    }
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  let done = 0;
  while (done < chunk.length) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done);
    done += bytesWritten;
  }
}
