import { dirname, isAbsolute, join } from 'node:path';
import { ClipError } from '../errors.js';
import type { ImageIndex } from '../format/image-index.js';
import { createImageReader } from '../read/reader.js';
import type { ImageRef } from '../reference/image-ref.js';
import { parseImage } from '../reference/parse-image.js';
import { openSource } from '../source/open.js';
import type { ImageSource } from '../source/source.js';
import { withDefaults } from './default-options.js';
import { exists } from './exists.js';
import { findOrBuildIndex } from './find-index.js';
import { openCache } from './image-cache.js';
import { isIndexTarget } from './index-target.js';
import { openIndexFile } from './open-index-file.js';
import type { OpenedImage } from './opened-image.js';
import type { OpenOptions } from './options.js';
import { sourceOptions } from './source-options.js';

/**
 * Opens an index file, or the index of an image: found in the local store, else built and kept there. Blobs are read from
 * `options.source`, else from the image that was named, else from where the user's own index says it was read from.
 *
 * Options that are left out are the command line's defaults. Throws INDEX_NOT_FOUND, CORRUPT_INDEX, NEWER_INDEX, and what resolving
 * and scanning the image throw.
 */
export async function openImage(target: string, given: Partial<OpenOptions> = {}): Promise<OpenedImage> {
  const options = withDefaults(given);
  options.signal?.throwIfAborted();
  return (await isIndexTarget(target)) ? openFileTarget(target, options) : openNamedImage(target, options);
}

async function openFileTarget(path: string, options: OpenOptions): Promise<OpenedImage> {
  const index = await openIndexFile(path);
  try {
    requireIdentity(index, options, path);
    const source = lazySource(async () => {
      const from = options.source ?? index.sourceHint;
      if (from === undefined) {
        throw new ClipError('USAGE', `index ${path} does not say where its image is`, {
          hint: 'name the image with --source IMAGE',
        });
      }
      const image = parseImage(from);
      const base = options.source === undefined ? dirname(path) : '.';
      return openSource(await besideIndex(image, base), sourceOptions(options));
    });
    return await opened({ index, indexPath: path, origin: 'file', source }, options);
  } catch (error) {
    await index.close();
    throw error;
  }
}

async function openNamedImage(target: string, options: OpenOptions): Promise<OpenedImage> {
  const image = parseImage(target);
  const named = lazySource(() => openSource(image, sourceOptions(options)));
  try {
    const found = await findOrBuildIndex(image, named.open, options);
    const index = await openIndexFile(found.path);
    requireIdentity(index, options, found.path);
    const from = options.source;
    if (from === undefined) {
      return await opened({ index, indexPath: found.path, origin: found.origin, source: named }, options);
    }
    await named.close();
    const source = lazySource(() => openSource(parseImage(from), sourceOptions(options)));
    return await opened({ index, indexPath: found.path, origin: found.origin, source }, options);
  } catch (error) {
    await named.close();
    throw error;
  }
}

interface Parts extends Pick<OpenedImage, 'index' | 'indexPath' | 'origin'> {
  source: LazySource;
}

async function opened(
  { index, indexPath, origin, source }: Parts,
  options: OpenOptions,
): Promise<OpenedImage> {
  const { strategy, observer } = options;
  const reader = createImageReader({
    index,
    source: source.open,
    cache: await openCache(options),
    strategy,
    observer,
  });
  return {
    index,
    indexPath,
    origin,
    reader,
    source: source.open,
    async close() {
      await reader.close({ abort: options.signal?.aborted ?? false });
      await source.close();
      await index.close();
    },
  };
}

function requireIdentity(index: ImageIndex, { index: wanted }: OpenOptions, path: string): void {
  if (!wanted.startsWith('sha256:') || index.identity === wanted) return;
  throw new ClipError('DIGEST_MISMATCH', `index ${path} is ${index.identity}, not ${wanted}`, {
    hint: 'the index was pinned with --index: build or fetch the one that is meant',
  });
}

/** A relative path that an index names is looked for beside the index first, then in the current folder. */
async function besideIndex(image: ImageRef, folder: string): Promise<ImageRef> {
  if (!('path' in image) || isAbsolute(image.path)) return image;
  const beside = join(folder, image.path);
  return (await exists(beside)) ? { ...image, path: beside } : image;
}

interface LazySource {
  open(): Promise<ImageSource>;
  close(): Promise<void>;
}

/** Opens at the first call; a warm read never calls. A failure is not remembered. */
export function lazySource(open: () => Promise<ImageSource>): LazySource {
  let source: Promise<ImageSource> | undefined;
  return {
    open() {
      source ??= open().catch((error: unknown) => {
        source = undefined;
        throw error;
      });
      return source;
    },
    async close() {
      await source?.then(
        (it) => it.close(),
        () => {},
      );
    },
  };
}
