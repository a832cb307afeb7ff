import { statSync } from 'node:fs';

/** Whether a regular file is there, or what leads to one; false also where this user may not look. */
export function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false;
  }
}
