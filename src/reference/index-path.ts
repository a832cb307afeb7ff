/**
 * Whether a target can only be an index file: it begins with `/`, `./` or `../`. (An existing regular file is one too;
 * that is for who may ask the file system.)
 */
export function looksLikeIndexPath(text: string): boolean {
  return /^(?:\/|\.\/|\.\.\/)/.test(text);
}
