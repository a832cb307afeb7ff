import fs from 'node:fs';
import { WITHOUT_WAITING } from '../cache/open-flags.js';
import { touch } from '../cache/touch.js';
import { ClipError } from '../errors.js';
import type { ByteSource } from '../format/image-index.js';
import { breath } from '../read/turns.js';
import { fromFsError } from './fs-error.js';

/**
 * Opens a local index file for random access. Reads block: they are of a block of 64 KiB or two, and through the thread pool
 * each would take ten times as long. One of the store is marked as used. Throws INDEX_NOT_FOUND, IS_DIRECTORY, NOT_A_FILE, IO.
 */
export function openFileSource(path: string, { isStored = false } = {}): ByteSource {
  const file = openFile(path);
  const found = fs.fstatSync(file);
  if (isStored) touch(file, found.mtimeMs);
  // A number that was closed may be another file's the next moment.
  let closed = false;
  return {
    size: found.size,
    async read(offset, length) {
      // What was read before is verified and decoded in the same turn of the event loop.
      await breath();
      if (closed) throw new ClipError('INTERRUPTED', `index ${path} was closed`);
      return readExactly(file, path, { offset, length });
    },
    async close() {
      if (!closed) fs.closeSync(file);
      closed = true;
    },
  };
}

function openFile(path: string): number {
  try {
    requireFile(path, fs.statSync(path));
    return fs.openSync(path, WITHOUT_WAITING);
  } catch (error) {
    throw fromFsError(error, `cannot open index ${path}`, 'INDEX_NOT_FOUND');
  }
}

/** Before it is opened: that alone may set a device in motion. */
function requireFile(path: string, found: fs.Stats): void {
  if (found.isFile()) return;
  if (found.isDirectory()) {
    throw new ClipError('IS_DIRECTORY', `${path} is a directory, not an index file`, {
      hint: `an OCI layout in a folder is named oci:${path}`,
    });
  }
  throw new ClipError('NOT_A_FILE', `${path} is no regular file`, { hint: 'name an index file or an image' });
}

function readExactly(
  file: number,
  path: string,
  { offset, length }: { offset: number; length: number },
): Uint8Array {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const bytesRead = fs.readSync(file, buffer, done, length - done, offset + done);
    if (bytesRead === 0) {
      throw new ClipError('CORRUPT_INDEX', `index ${path} ends at byte ${offset + done}`, {
        hint: 'it was cut short while clip read it; build it again with `clip index`',
      });
    }
    done += bytesRead;
  }
  return buffer;
}
