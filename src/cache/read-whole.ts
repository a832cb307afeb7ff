import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { WITHOUT_WAITING } from './open-flags.js';
import { touch } from './touch.js';

/**
 * What a file of the cache folder holds; undefined where there is none that can be read, and for what clip never put there: no regular
 * file, or more than `limit` bytes. Marks it as used.
 */
export function readWhole(path: string, limit: number): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, WITHOUT_WAITING);
    const found = fstatSync(file);
    if (!found.isFile() || found.size > limit) return undefined;
    const bytes = readFileSync(file);
    touch(file, found.mtimeMs);
    return bytes;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
