import { isFile } from '../cache/is-file.js';
import { looksLikeIndexPath } from '../reference/index-path.js';

/**
 * Whether a target names an index file: an existing regular file, or anything that begins with `/`, `./` or `../`. All else is an
 * image (design, section 7).
 */
export function isIndexTarget(target: string): boolean {
  return looksLikeIndexPath(target) || isFile(target);
}
