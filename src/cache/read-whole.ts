import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { touch } from './touch.js';

/**
 * What a file of the cache folder holds; undefined where there is none that can be read, and for what clip never put there: no regular
 * file, or more than `limit` bytes. Marks it as used. Opening a pipe would wait for a writer, and nothing could end that wait.
 */
export function readWhole(path: string, limit: number): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
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
