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
 *
 * All calls block: a file takes nine of them, and each would take ten times as long through the thread pool. Spans are inflated by
 * other threads meanwhile.
 */

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { type ByteString, byteStringToBytes, bytesToByteString, detached } from '../bytes.js';
import { errnoOf } from '../errno.js';
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
  directory(path: ByteString, mode?: number): boolean;
  /** Begins to put something at `path`: it is to be created at `temporary`, a name in the same directory that does not exist. */
  begin(path: ByteString): Placing;
  /** The same at once: `make` creates it under the temporary name that it is given. */
  place(path: ByteString, make: (temporary: Buffer) => void): void;
}

/** Something on its way to its place. Of `land` and `abandon` one has to be called. */
export interface Placing {
  temporary: Buffer;
  /** A file or link that stands at the place is replaced, an empty directory too. Throws ClipError IO or NO_SPACE. */
  land(): void;
  /** The temporary name is gone, and what stood at the place still stands. Never throws. */
  abandon(): void;
}

/** Bytes of the paths of directories that are not looked at again, and of what each takes besides. */
const KNOWN_BYTES = 33_554_432;
const KNOWN_EACH = 100;

/** `root` has to be an existing directory, given as its real path. */
export function createPlacer(root: Buffer): Placer {
  const rootText = bytesToByteString(root);
  const prefix = `.clip-${randomBytes(8).toString('hex')}`;
  const known = new Map<ByteString, boolean>();
  let knownBytes = 0;
  let count = 0;

  function locate(path: ByteString): Buffer {
    if (path === '') return root;
    if (/(^|\/)\.{0,2}(\/|$)|\0/.test(path)) {
      throw new ClipError(
        'UNSAFE_PATH',
        `the image names a path that cannot be extracted: /${escapeName(path)}`,
        {
          hint: 'the index is damaged or made to do harm; build it again from the image',
        },
      );
    }
    return byteStringToBytes(`${rootText}/${path}` as ByteString);
  }

  function directory(path: ByteString, mode = 0o777): boolean {
    if (path === '') return false;
    const made = known.get(path);
    if (made !== undefined) return made;
    const parents: ByteString[] = [];
    for (let at = parentOf(path); at !== '' && !known.has(at); at = parentOf(at)) parents.push(at);
    for (const parent of parents.reverse()) makeKnown(parent, 0o777);
    return makeKnown(path, mode);
  }

  function makeKnown(path: ByteString, mode: number): boolean {
    const now = makeDirectory(locate(path), mode);
    known.set(detached(path), now);
    knownBytes += path.length + KNOWN_EACH;
    for (const [oldest] of known) {
      if (knownBytes <= KNOWN_BYTES) break;
      known.delete(oldest);
      knownBytes -= oldest.length + KNOWN_EACH;
    }
    return now;
  }

  function begin(path: ByteString): Placing {
    const parent = parentOf(path);
    const final = locate(path);
    directory(parent);
    const name = `${prefix}-${count++}` as ByteString;
    const temporary = locate((parent === '' ? name : `${parent}/${name}`) as ByteString);
    return {
      temporary,
      land() {
        try {
          renameOver(temporary, final);
        } catch (error) {
          throw fsError(error, final);
        }
      },
      abandon() {
        try {
          fs.unlinkSync(temporary);
        } catch {
          // It was never made.
        }
      },
    };
  }

  function place(path: ByteString, make: (temporary: Buffer) => void): void {
    const placing = begin(path);
    try {
      make(placing.temporary);
      placing.land();
      // rename(2) does nothing where both are names of one inode: another extraction has made the same hard link just now.
      if (fs.lstatSync(placing.temporary, { throwIfNoEntry: false })) placing.abandon();
    } catch (error) {
      placing.abandon();
      throw fsError(error, locate(path));
    }
  }

  return { locate, directory, begin, place };
}

function makeDirectory(path: Buffer, mode: number): boolean {
  try {
    if (tryMakeDirectory(path, mode)) return true;
    if (fs.lstatSync(path).isDirectory()) return false;
    fs.unlinkSync(path);
    // Not recursive and not tolerant: what appeared meanwhile is not ours.
    fs.mkdirSync(path, mode);
    return true;
  } catch (error) {
    throw fsError(error, path);
  }
}

function tryMakeDirectory(path: Buffer, mode: number): boolean {
  try {
    fs.mkdirSync(path, mode);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function renameOver(from: Buffer, to: Buffer): void {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'EISDIR' && code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    // A directory stands there: only an empty one gives way.
    fs.rmdirSync(to);
    fs.renameSync(from, to);
  }
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) as ByteString;
}
