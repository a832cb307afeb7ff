import { isFile } from '../cache/is-file.js';
import { ClipError, isClipError } from '../errors.js';
import type { ImageRef } from '../reference/image-ref.js';
import { printImage } from '../reference/print-image.js';
import { locateManifest } from '../source/resolve-image.js';
import type { ImageSource } from '../source/source.js';
import type { DiscoveredIndex } from './discover-index.js';
import type { OpenOptions } from './options.js';
import { openIndexStore } from './store.js';

export interface LocalIndex {
  /** `mixed`: put together here, with layers that others indexed and pushed to the registry. */
  origin: 'store' | 'mixed' | 'built';
  path: string;
  /** Set where it could not be kept: takes it away. Never throws. */
  discard?: () => Promise<void>;
}

export interface RemoteIndex extends DiscoveredIndex {
  origin: 'registry';
}

/**
 * The index of an image in the local store, else beside the image in its registry; where there is none it is built and kept. Asks the
 * source only what the name stands for (offline: what it stood for when it was last asked), and what refers to it. Where the store cannot
 * be written the index is a temporary one. Throws INDEX_NOT_FOUND under `--index local`, a pin that fits nothing and `--offline`.
 */
export function findOrBuildIndex(
  image: ImageRef,
  source: () => Promise<ImageSource>,
  options: OpenOptions,
): Promise<LocalIndex | RemoteIndex> {
  return find(image, source, options, (digest, pin) => inRegistry(image, { digest, pin, source, options }));
}

/** The same without a look into the registry. */
export function findOrBuildLocalIndex(
  image: ImageRef,
  source: () => Promise<ImageSource>,
  options: OpenOptions,
): Promise<LocalIndex> {
  return find<never>(image, source, options, async () => undefined);
}

/** `beside`: looks for the index of a manifest, or the one with a certain identity, where the image is. */
async function find<T>(
  image: ImageRef,
  source: () => Promise<ImageSource>,
  options: OpenOptions,
  beside: (digest: string, pin: string | undefined) => Promise<T | undefined>,
): Promise<LocalIndex | T> {
  const { spacing, observer, signal } = options;
  const store = openIndexStore(options.cacheDir);
  const name = printImage(image);
  const platform = options.platform ?? '';
  if (options.index !== 'build') {
    const digest = await manifestDigest();
    const path = digest && (await store.find(digest, spacing));
    const pin = options.index.startsWith('sha256:') ? options.index : undefined;
    const wanted = pin && digest ? await withIdentity(await store.findAll(digest), pin) : path;
    if (wanted) return { path: wanted, origin: 'store' };
    const mixed = digest && store.mixedPath(digest, spacing);
    if (mixed && options.index !== 'local' && isFile(mixed)) {
      if (!pin || (await withIdentity([mixed], pin))) return { path: mixed, origin: 'mixed' };
    }
    if (digest && options.index !== 'local') {
      const found = await beside(digest, pin);
      if (found) return found;
    }
    if (path) return { path, origin: 'store' };
    const local = image.transport !== 'docker';
    if (options.index !== 'auto' || (options.offline && !local)) {
      throw new ClipError(
        'INDEX_NOT_FOUND',
        `there is no ${pin ? `index ${pin}` : 'local index'} of ${name}`,
        {
          hint: pin
            ? 'name the file of that index, or fetch it with clip pull'
            : `build one with \`clip index ${name}\``,
        },
      );
    }
  }
  // The scanners, the tar walk and the encoders: a third of the start-up time of a command that reads an index.
  const [{ buildIntoFile }, { storeToWrite }] = await Promise.all([
    import('./build-into-file.js'),
    import('./store-to-write.js'),
  ]);
  const from = await source();
  const { discard, ...to } = await storeToWrite(options.cacheDir, observer);
  try {
    const built = await buildIntoFile(from, { ...options, name, hint: from.hint, ...to });
    await store.remember(name, platform, built.image.manifestDigest);
    const origin = built.layerOrigins.registry > 0 ? 'mixed' : 'built';
    return { path: built.path, origin, ...(discard && { discard }) };
  } catch (error) {
    await discard?.();
    throw error;
  }

  async function manifestDigest(): Promise<string | undefined> {
    const pinned = digestOf(image);
    // A manifest's digest needs no asking; an image index's does, to choose the platform.
    if (pinned && options.platform === undefined) {
      if (await store.find(pinned, spacing)) return pinned;
      if (options.index !== 'local' && (await knownInRegistry(image, pinned, options))) return pinned;
    }
    if (options.offline && image.transport === 'docker') return store.recall(name, platform);
    const located = await locateManifest(await source(), {
      ...(options.platform !== undefined && { platform: options.platform }),
      observer,
      ...(signal && { signal }),
    });
    await store.remember(name, platform, located);
    return located;
  }
}

/** The first of the index files that is the pinned one; what is damaged is none. */
async function withIdentity(paths: readonly string[], pin: string): Promise<string | undefined> {
  const { openIndexFile } = await import('./open-index-file.js');
  for (const path of paths) {
    const index = await openIndexFile(path).catch(() => undefined);
    await index?.close();
    if (index?.identity === pin) return path;
  }
  return undefined;
}

/** Looks beside the image. A registry that fails here fails no command: an index can still be built. */
async function inRegistry(
  image: ImageRef,
  what: {
    digest: string;
    pin: string | undefined;
    source: () => Promise<ImageSource>;
    options: OpenOptions;
  },
): Promise<RemoteIndex | undefined> {
  if (image.transport !== 'docker') return undefined;
  const { observer, signal, offline, cacheDir, diskCache: quota } = what.options;
  const [{ discoverIndex }, { openFoundStore }] = await Promise.all([
    import('./discover-index.js'),
    import('./found-store.js'),
  ]);
  try {
    const found = await discoverIndex({
      manifestDigest: what.digest,
      identity: what.pin,
      repository: repositoryOf(image),
      store: openFoundStore(cacheDir, async (bytes) => {
        const { boundIndexes } = await import('./stored-indexes.js');
        boundIndexes(cacheDir, { quota, bytes, observer });
      }),
      source: what.source,
      offline,
      observer,
      ...(signal && { signal }),
    });
    return found && { origin: 'registry', ...found };
  } catch (error) {
    signal?.throwIfAborted();
    if (!isClipError(error) || what.pin !== undefined) throw error;
    observer.emit({
      type: 'debug',
      message: `looking for an index in the registry failed: ${error.message}`,
    });
    return undefined;
  }
}

async function knownInRegistry(image: ImageRef, digest: string, { cacheDir }: OpenOptions): Promise<boolean> {
  if (image.transport !== 'docker') return false;
  const { openFoundStore } = await import('./found-store.js');
  const known = await openFoundStore(cacheDir).get(repositoryOf(image), digest);
  return known !== undefined && known !== 'none';
}

function repositoryOf({ reference }: Extract<ImageRef, { transport: 'docker' }>): string {
  return `${reference.registry}/${reference.repository}`;
}

function digestOf(image: ImageRef): string | undefined {
  if (image.transport === 'docker') return image.reference.digest;
  return 'select' in image ? image.select.digest : undefined;
}
