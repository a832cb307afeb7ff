import { ClipError } from '../errors.js';
import type { ImageRef } from '../reference/image-ref.js';
import { printImage } from '../reference/print-image.js';
import { locateManifest } from '../source/resolve-image.js';
import type { ImageSource } from '../source/source.js';
import type { OpenOptions } from './options.js';
import { openIndexStore } from './store.js';

export interface FoundIndex {
  path: string;
  origin: 'store' | 'built';
}

/**
 * The index of an image in the local store; what is not there is built and kept. Asks the source only what the name stands for
 * (offline: what it stood for when it was last asked). Throws INDEX_NOT_FOUND under `--index local` and `--offline`.
 */
export async function findOrBuildIndex(
  image: ImageRef,
  source: () => Promise<ImageSource>,
  options: OpenOptions,
): Promise<FoundIndex> {
  const { spacing, observer, signal } = options;
  const store = openIndexStore(options.cacheDir);
  const name = printImage(image);
  const platform = options.platform ?? '';
  if (options.index !== 'build') {
    const digest = await manifestDigest();
    const path = digest && (await store.find(digest, spacing));
    if (path) return { path, origin: 'store' };
    const local = image.transport !== 'docker';
    if (options.index !== 'auto' || (options.offline && !local)) {
      throw new ClipError('INDEX_NOT_FOUND', `there is no local index of ${name}`, {
        hint: `build one with \`clip index ${name}\``,
      });
    }
  }
  // The scanners, the tar walk and the encoders: a third of the start-up time of a command that reads an index.
  const { buildIntoFile } = await import('./build-into-file.js');
  const from = await source();
  const built = await buildIntoFile(from, { ...options, name, store, hint: from.hint });
  await store.remember(name, platform, built.image.manifestDigest);
  return { path: built.path, origin: 'built' };

  async function manifestDigest(): Promise<string | undefined> {
    const pinned = digestOf(image);
    // A manifest's digest needs no asking; an image index's does, to choose the platform.
    if (pinned && options.platform === undefined && (await store.find(pinned, spacing))) return pinned;
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

function digestOf(image: ImageRef): string | undefined {
  if (image.transport === 'docker') return image.reference.digest;
  return 'select' in image ? image.select.digest : undefined;
}
