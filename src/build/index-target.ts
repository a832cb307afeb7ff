import { stat } from 'node:fs/promises';
import { looksLikeIndexPath } from '../reference/index-path.js';

/**
 * Whether a target names an index file: an existing regular file, or anything that begins with `/`, `./` or `../`. All else is an
 * image (design, section 7).
 */
export async function isIndexTarget(target: string): Promise<boolean> {
  if (looksLikeIndexPath(target)) return true;
  return stat(target).then(
    (found) => found.isFile(),
    () => false,
  );
}
