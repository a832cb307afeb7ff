import { type FileHandle, open, stat } from 'node:fs/promises';
import { ClipError } from '../errors.js';
import type { ByteSource } from '../format/image-index.js';
import { fromFsError } from './fs-error.js';

/** Opens a local index file for random access. Throws INDEX_NOT_FOUND, IS_DIRECTORY, NOT_A_FILE, IO. */
export async function openFileSource(path: string): Promise<ByteSource> {
  await requireFile(path);
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw fromFsError(error, `cannot open index ${path}`, 'INDEX_NOT_FOUND');
  });
  const { size } = await handle.stat();
  return {
    size,
    read: (offset, length) => readExactly(handle, path, { offset, length }),
    close: () => handle.close(),
  };
}

/** Before it is opened: opening a FIFO waits for a writer. */
async function requireFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw fromFsError(error, `cannot open index ${path}`, 'INDEX_NOT_FOUND');
  });
  if (found.isFile()) return;
  if (found.isDirectory()) {
    throw new ClipError('IS_DIRECTORY', `${path} is a directory, not an index file`, {
      hint: `an OCI layout in a folder is named oci:${path}`,
    });
  }
  throw new ClipError('NOT_A_FILE', `${path} is no regular file`, { hint: 'name an index file or an image' });
}

async function readExactly(
  handle: FileHandle,
  path: string,
  { offset, length }: { offset: number; length: number },
): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) {
      throw new ClipError('CORRUPT_INDEX', `index ${path} ends at byte ${offset + done}`, {
        hint: 'it was cut short while clip read it; build it again with `clip index`',
      });
    }
    done += bytesRead;
  }
  return buffer;
}
