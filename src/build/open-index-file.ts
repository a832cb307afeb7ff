import { ClipError, isClipError } from '../errors.js';
import type { ImageIndex } from '../format/image-index.js';
import { openIndex } from '../format/open-index.js';
import { openFileSource } from './byte-source.js';

/** Opens a local index file; `isStored` marks it as used. Throws INDEX_NOT_FOUND, CORRUPT_INDEX, NEWER_INDEX. */
export async function openIndexFile(path: string, how?: { isStored: boolean }): Promise<ImageIndex> {
  const bytes = openFileSource(path, how);
  try {
    return await openIndex(bytes);
  } catch (error) {
    await bytes.close();
    throw named(error, path);
  }
}

/** The format knows nothing of files; a user with several of them has to know which one it is. */
function named(error: unknown, path: string): unknown {
  if (!isClipError(error, 'CORRUPT_INDEX') && !isClipError(error, 'NEWER_INDEX')) return error;
  const { code, hint, message } = error;
  return new ClipError(code, message.replace(/^index is/, `index ${path} is`), {
    ...(hint !== undefined && { hint }),
    cause: error,
  });
}
