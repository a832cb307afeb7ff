import { statSync } from 'node:fs';
import { looksLikeIndexPath } from '../reference/index-path.js';

/**
 * Whether a target names an index file: an existing regular file, or anything that begins with `/`, `./` or `../`. All else is an
 * image (design, section 7).
 */
export function isIndexTarget(target: string): boolean {
  if (looksLikeIndexPath(target)) return true;
  try {
    return statSync(target).isFile();
  } catch {
    return false;
  }
}
