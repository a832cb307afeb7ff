/**
 * Where extracted things are put. Nothing is ever written through a symbolic link, whatever the image holds and whatever
 * stands in the folder already:
 *
 * - The folder itself is resolved once; below it every parent is looked at component by component (lstat) before it is used,
 *   and what is no directory where the image has one, a link above all, is replaced.
 * - Files and links are made under a new name that exists nowhere yet, then renamed into place: rename(2) replaces what
 *   stands there, and follows nothing.
 *
 * Node has no openat(2), so this holds while nobody else changes the folder at the same time (docs/security.md).
 */

import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import { type ByteString, byteStringToBytes } from '../bytes.js';
import { ClipError } from '../errors.js';
import { escapeName } from '../escape.js';
import { fsError } from './extract-errors.js';

export interface Placer {
  /** The path on this machine of a path of the tree. Throws UNSAFE_PATH for one that no clean tree holds. */
  locate(path: ByteString): Buffer;
  /**
   * Makes sure that `path` is a real directory, with all its parents; true if it was made now. `mode` is that of a new one, less
   * the umask; parents get 0777.
   */
  directory(path: ByteString, mode?: number): Promise<boolean>;
  /**
   * Puts something at `path`: `make` creates it under the temporary name it is given. A file or link that stands there is
   * replaced, an empty directory too; on a failure the temporary name is gone and what stood there still stands.
   */
  place(path: ByteString, make: (temporary: Buffer) => Promise<void>): Promise<void>;
}

/** `root` has to be an existing directory, given as its real path. */
export function createPlacer(root: Buffer): Placer {
  const known = new Map<ByteString, Promise<boolean>>([['' as ByteString, Promise.resolve(false)]]);

  function locate(path: ByteString): Buffer {
    if (path === '') return root;
    const unsafe = path.split('/').some((name) => name === '' || name === '.' || name === '..');
    if (unsafe || path.includes('\0')) {
      throw new ClipError(
        'UNSAFE_PATH',
        `the image names a path that cannot be extracted: /${escapeName(path)}`,
        {
          hint: 'the index is damaged or made to do harm; build it again from the image',
        },
      );
    }
    return Buffer.concat([root, Buffer.from('/'), byteStringToBytes(path)]);
  }

  function directory(path: ByteString, mode = 0o777): Promise<boolean> {
    let made = known.get(path);
    if (!made) {
      made = directory(parentOf(path)).then(() => makeDirectory(locate(path), mode));
      known.set(path, made);
    }
    return made;
  }

  async function place(path: ByteString, make: (temporary: Buffer) => Promise<void>): Promise<void> {
    await directory(parentOf(path));
    const final = locate(path);
    const parent = locate(parentOf(path));
    const temporary = Buffer.concat([parent, Buffer.from(`/.clip-${randomBytes(8).toString('hex')}`)]);
    try {
      await make(temporary);
      await renameOver(temporary, final);
    } catch (error) {
      await fs.unlink(temporary).catch(() => {});
      throw fsError(error, final);
    }
  }

  return { locate, directory, place };
}

async function makeDirectory(path: Buffer, mode: number): Promise<boolean> {
  try {
    const made = await tryMakeDirectory(path, mode);
    if (made) return true;
    const stats = await fs.lstat(path);
    if (stats.isDirectory()) return false;
    await fs.unlink(path);
    // Not recursive and not tolerant: what appeared meanwhile is not ours.
    await fs.mkdir(path, mode);
    return true;
  } catch (error) {
    throw fsError(error, path);
  }
}

async function tryMakeDirectory(path: Buffer, mode: number): Promise<boolean> {
  try {
    await fs.mkdir(path, mode);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function renameOver(from: Buffer, to: Buffer): Promise<void> {
  try {
    await fs.rename(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EISDIR' && code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    // A directory stands there: only an empty one gives way.
    await fs.rmdir(to);
    await fs.rename(from, to);
  }
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) as ByteString;
}
