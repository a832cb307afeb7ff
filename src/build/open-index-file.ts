import type { ImageIndex } from '../format/image-index.js';
import { openIndex } from '../format/open-index.js';
import { openFileSource } from './byte-source.js';

/** Opens a local index file. Throws INDEX_NOT_FOUND, CORRUPT_INDEX, NEWER_INDEX. */
export async function openIndexFile(path: string): Promise<ImageIndex> {
  const bytes = await openFileSource(path);
  try {
    return await openIndex(bytes);
  } catch (error) {
    await bytes.close();
    throw error;
  }
}
