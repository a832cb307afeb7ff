import { isClipError } from '../errors.js';
import { candidatesOf } from '../escape.js';
import type { Node, TreeLookup } from '../tree/node.js';
import { type ResolveOptions, resolvePath } from '../tree/resolve.js';

/**
 * The node that a path on the command line means: as clip prints it, escapes and all, or, where no such path exists, taken
 * literally. Throws as `resolvePath` does.
 */
export async function resolveArgument(
  tree: TreeLookup,
  text: string,
  options: ResolveOptions,
): Promise<Node> {
  const [first, literal] = candidatesOf(text);
  try {
    return await resolvePath(tree, first!, options);
  } catch (error) {
    if (literal === undefined || !isClipError(error, 'PATH_NOT_FOUND')) throw error;
    return resolvePath(tree, literal, options).catch((literally: unknown) => {
      // Of two that are not there, the one that is printed as it was typed.
      throw isClipError(literally, 'PATH_NOT_FOUND') ? error : literally;
    });
  }
}
