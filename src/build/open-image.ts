import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { ClipError, isClipError } from '../errors.js';
import type { ImageIndex } from '../format/image-index.js';
import { parsePlatform, platformRank, printPlatform } from '../oci/platform.js';
import { createImageReader } from '../read/reader.js';
import type { ImageRef } from '../reference/image-ref.js';
import { parseImage } from '../reference/parse-image.js';
import { openSource } from '../source/open.js';
import type { ImageSource } from '../source/source.js';
import { withDefaults } from './default-options.js';
import { findOrBuildIndex, type LocalIndex, type RemoteIndex } from './find-index.js';
import { guardIndex } from './guard-index.js';
import { openCache } from './image-cache.js';
import { isIndexTarget } from './index-target.js';
import { type LazySource, lazySource } from './lazy-source.js';
import { openIndexFile } from './open-index-file.js';
import type { OpenedImage } from './opened-image.js';
import type { OpenOptions } from './options.js';
import { sourceOptions } from './source-options.js';
import { indexFolder } from './store.js';

/**
 * Opens an index file, or the index of an image: found in the local store, else built and kept there. Blobs are read from
 * `options.source`, else from the image that was named, else from where the user's own index says it was read from.
 *
 * Options that are left out are the command line's defaults. Throws INDEX_NOT_FOUND, CORRUPT_INDEX, NEWER_INDEX, PLATFORM_NOT_FOUND,
 * and what resolving and scanning the image throw.
 */
export async function openImage(target: string, given: Partial<OpenOptions> = {}): Promise<OpenedImage> {
  const options = withDefaults(given);
  options.signal?.throwIfAborted();
  return isIndexTarget(target) ? openFileTarget(target, options) : openNamedImage(target, options);
}

async function openFileTarget(path: string, options: OpenOptions): Promise<OpenedImage> {
  const isStored = resolve(path).startsWith(resolve(indexFolder(options.cacheDir)) + sep);
  const index = await openIndexFile(path, { isStored });
  try {
    requireIdentity(index, options, path);
    await requirePlatform(index, options, path);
    const source = lazySource(async () => {
      const from = options.source ?? index.sourceHint;
      if (from === undefined) {
        throw new ClipError('USAGE', `index ${path} does not say where its image is`, {
          hint: 'name the image with --source IMAGE',
        });
      }
      const image = parseImage(from);
      if (options.source !== undefined) return openSource(image, sourceOptions(options));
      return openSource(besideIndex(image, dirname(path)), sourceOptions(options)).catch((error) => {
        throw gone(error, from, path);
      });
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
  let discard: LocalIndex['discard'];
  let opening: ImageIndex | undefined;
  try {
    const found = await openStoredIndex(image, named.open, options);
    const { index, origin } = found;
    opening = index;
    const isRemote = origin === 'registry';
    discard = isRemote ? undefined : found.discard;
    const indexPath = isRemote ? artifactName(image, found.artifact) : found.path;
    requireIdentity(index, options, indexPath);
    const from = options.source;
    if (from === undefined)
      return await opened({ index, indexPath, origin, source: named, discard }, options);
    // The parts of an index in a registry are read from where the image was named, its layers from elsewhere.
    if (!isRemote) await named.close();
    const source = lazySource(() => openSource(parseImage(from), sourceOptions(options)));
    const ready = await opened({ index, indexPath, origin, source, discard }, options);
    return { ...ready, close: () => ready.close().finally(() => named.close()) };
  } catch (error) {
    const steps = takeAll(
      () => opening?.close(),
      () => named.close(),
      () => discard?.(),
    );
    await steps.catch(() => {});
    throw error;
  }
}

function artifactName(image: ImageRef, artifact: string): string {
  if (image.transport !== 'docker') return artifact;
  return `${image.reference.registry}/${image.reference.repository}@${artifact}`;
}

/** The store is ours: an index in it that is no longer one is thrown away, and built again. */
async function openStoredIndex(
  image: ImageRef,
  source: () => Promise<ImageSource>,
  options: OpenOptions,
): Promise<(LocalIndex & { index: ImageIndex }) | RemoteIndex> {
  const found = await findOrBuildIndex(image, source, options);
  if (found.origin === 'registry') return found;
  const isKept = options.index === 'auto' && (found.origin === 'store' || found.origin === 'mixed');
  try {
    const index = await openIndexFile(found.path, { isStored: true });
    return { ...found, index: isKept ? guarded(index, found.path) : index };
  } catch (error) {
    const isDamaged = isKept && isClipError(error, 'CORRUPT_INDEX');
    // Somebody emptied the cache between the look and the opening.
    const isGone = found.discard === undefined && isClipError(error, 'INDEX_NOT_FOUND');
    if (!isDamaged && !isGone) {
      await found.discard?.();
      throw error;
    }
    if (isDamaged) {
      options.observer.emit({
        type: 'warning',
        code: 'CORRUPT_INDEX',
        message: `${error.message}: it is built again`,
      });
      await rm(found.path, { force: true });
    }
    const anew = await findOrBuildIndex(image, source, options);
    return anew.origin === 'registry' ? anew : { ...anew, index: await openIndexFile(anew.path) };
  }
}

/** What turns out to be damaged further in, when some of it may have been printed, goes for the next command. */
function guarded(index: ImageIndex, path: string): ImageIndex {
  return guardIndex(index, {
    onCorrupt: () => rm(path, { force: true }),
    next: 'the damaged index is gone, and is built again',
    sourceHint: index.sourceHint,
  });
}

interface Parts extends Pick<OpenedImage, 'index' | 'indexPath' | 'origin'> {
  source: LazySource;
  discard?: LocalIndex['discard'] | undefined;
}

async function opened(
  { index, indexPath, origin, source, discard }: Parts,
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
      await takeAll(
        () => reader.close({ abort: options.signal?.aborted ?? false }),
        () => source.close(),
        () => index.close(),
        () => discard?.(),
      );
    },
  };
}

function requireIdentity(index: ImageIndex, { index: wanted }: OpenOptions, path: string): void {
  if (!wanted.startsWith('sha256:') || index.identity === wanted) return;
  throw new ClipError('DIGEST_MISMATCH', `index ${path} is ${index.identity}, not ${wanted}`, {
    hint: 'the index was pinned with --index: build or fetch the one that is meant',
  });
}

/** As of an image that is there for one platform: one that cannot be told, a bare tar's, is what was named. */
async function requirePlatform(index: ImageIndex, options: OpenOptions, path: string): Promise<void> {
  if (options.platform === undefined) return;
  const { platform } = await index.describe();
  const [os = '', architecture = 'unknown', variant] = platform.split('/');
  const offered = { os, architecture, ...(variant !== undefined && { variant }) };
  const wanted = parsePlatform(options.platform);
  if (architecture === 'unknown' || platformRank(wanted, offered) !== undefined) return;
  throw new ClipError(
    'PLATFORM_NOT_FOUND',
    `index ${path} is of the image for ${platform}, not for ${printPlatform(wanted)}`,
    { hint: 'leave out --platform, or name the image in place of the index' },
  );
}

/** A relative path that an index names is looked for beside the index first, then in the current folder. */
function besideIndex(image: ImageRef, folder: string): ImageRef {
  if (!('path' in image) || isAbsolute(image.path)) return image;
  const beside = join(folder, image.path);
  return existsSync(beside) ? { ...image, path: beside } : image;
}

/** Nobody typed the place that an index names, and who gets the index from elsewhere may have the image at another. */
function gone(error: unknown, from: string, indexPath: string): unknown {
  if (!isClipError(error, 'NOT_FOUND')) return error;
  return new ClipError(error.code, error.message, {
    hint: `the index ${indexPath} was built from ${from}; --source IMAGE says where that image is now`,
    cause: error,
  });
}

/** Takes every step in turn, whatever becomes of the others; throws the first failure. */
async function takeAll(...steps: readonly (() => Promise<void> | undefined)[]): Promise<void> {
  let failure: { error: unknown } | undefined;
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failure ??= { error };
    }
  }
  if (failure) throw failure.error;
}
