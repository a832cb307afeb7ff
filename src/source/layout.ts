/** OCI image layouts as directories. */

import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WITHOUT_WAITING } from '../cache/open-flags.js';
import { errnoOf } from '../errno.js';
import { ClipError } from '../errors.js';
import type { ConnectionOptions } from '../http/options.js';
import type { Selection } from '../reference/image-ref.js';
import { printImage } from '../reference/print-image.js';
import type { ContentFile, ContentStore } from './content-store.js';
import { createLayoutSource } from './layout-source.js';
import type { ImageSource } from './source.js';

/** Opens a layout. Throws NOT_FOUND (no directory) or CORRUPT_IMAGE (a directory that is no layout). */
export async function openLayout(
  { path, select }: { path: string; select: Selection },
  connection: ConnectionOptions | undefined,
): Promise<ImageSource> {
  await checkLayout(path);
  return createLayoutSource(directoryStore(path), {
    name: printImage({ transport: 'oci', path, select }),
    select,
    connection,
  });
}

function directoryStore(directory: string): ContentStore {
  return {
    open: (path) => openFile(join(directory, path)),
    async close() {},
  };
}

/** A file of the file system; undefined if it is not there. Throws IS_DIRECTORY, and IO for what else is no regular file. */
export async function openFile(path: string): Promise<ContentFile | undefined> {
  const handle = await open(path, WITHOUT_WAITING).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  });
  if (handle === undefined) return undefined;
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) {
      throw new ClipError('IS_DIRECTORY', `${JSON.stringify(path)} is a directory, not a file`, {
        hint: 'a layout in a folder is oci:DIR; any other folder is read through a pipe: tar -C DIR -c . | clip … tar:-',
      });
    }
    if (!stats.isFile()) {
      throw new ClipError('IO', `${JSON.stringify(path)} is no regular file`, {
        hint: 'what comes through a pipe is read from standard input: write - in place of the file',
      });
    }
    const { size } = stats;
    return {
      size,
      read: async (target, position) => (await handle.read(target, 0, target.length, position)).bytesRead,
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function checkLayout(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    throw new ClipError('NOT_FOUND', `there is no OCI layout ${JSON.stringify(path)}`, {
      hint: 'write oci:DIRECTORY or oci:DIRECTORY:TAG',
    });
  }
  if (!found.isDirectory()) {
    throw new ClipError('NOT_FOUND', `${JSON.stringify(path)} is not a directory`, {
      hint: 'a layout in a tar file is oci-archive:FILE',
    });
  }
  if ((await stat(join(path, 'index.json')).catch(() => undefined))?.isFile() !== true) {
    throw new ClipError('CORRUPT_IMAGE', `${JSON.stringify(path)} is no OCI layout: it has no index.json`, {
      hint: 'make one with skopeo copy docker://IMAGE oci:DIR:TAG',
    });
  }
}
