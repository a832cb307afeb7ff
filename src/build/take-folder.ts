import { lstatSync, mkdirSync, type Stats } from 'node:fs';
import { ClipError } from '../errors.js';

/**
 * Makes a folder where others may write too, as in the system's folder for temporary files, this user's own. Whoever makes it first under
 * a name that can be guessed owns it, and indexes in a cache folder are believed. Throws ClipError IO where it is another's.
 */
export function takeFolder(path: string): void {
  try {
    mkdirSync(path, 0o700);
  } catch {
    const stats = statsOf(path);
    // Where it cannot be made there is no cache, which is told when something is to be kept.
    if (stats === undefined) return;
    if (stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o022) === 0) return;
    throw new ClipError('IO', `the cache folder ${path} is not this user's alone`, {
      hint: 'name a folder of your own with --cache-dir, or set HOME',
    });
  }
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}
