import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../errno.js';

/**
 * Makes a folder with its parents, tolerating what is there. Node's own `mkdir` with `recursive` never returns where the parent is
 * there but takes nothing and says ENOENT, as in `/proc`. Throws what mkdir(2) says.
 */
export function makeFolder(path: string, mode = 0o777): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (isFolder(path)) return;
    const parent = dirname(path);
    if (errnoOf(error) !== 'ENOENT' || parent === path) throw error;
    makeFolder(parent, mode);
    mkdirOnce(path, mode);
  }
}

/** Another process may have been quicker. */
function mkdirOnce(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (!isFolder(path)) throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
