/** Images in a tar file: a layout, what docker saves, or a bare root file system. */

import { resolve } from 'node:path';
import type { ImageRef } from '../../reference/image-ref.js';
import { printImage } from '../../reference/print-image.js';
import type { OpenSourceOptions } from '../open-options.js';
import type { ImageSource } from '../source.js';
import { whatIs } from './archive-errors.js';
import { locateArchive } from './locate-archive.js';
import { isSpooled } from './spool.js';

type ArchiveRef = Extract<ImageRef, { transport: 'oci-archive' | 'docker-archive' | 'tar' }>;

/** Throws NOT_FOUND, IO, CORRUPT_TAR, LIMIT, UNSUPPORTED, or USAGE where a copy has to be made and may not be. */
export async function openArchive(image: ArchiveRef, options: OpenSourceOptions): Promise<ImageSource> {
  const uncompress = image.transport !== 'tar';
  const locate = () => locateArchive(image.path, { ...readOf(options), uncompress });
  const { path, isCopy } = await locate();
  // Named by the path of the copy, an index can be read after the pipe is gone.
  const hint = isCopy ? printImage({ ...image, path: resolve(path) }) : undefined;
  if (!isSpooled(path)) return await openAt(path, image, { ...options, hint });
  const { openCopySource } = await import('./copy-source.js');
  return await openCopySource({
    what: whatIs(image.path),
    path,
    open: (at) => openAt(at, image, { ...options, hint }),
    ...(path !== image.path && !isCopy && { again: async () => (await locate()).path }),
    observer: options.observer,
  });
}

/** Opens an uncompressed archive that lies at `path`, whatever the user called it. */
async function openAt(
  path: string,
  image: ArchiveRef,
  options: OpenSourceOptions & { hint: string | undefined },
): Promise<ImageSource> {
  const { hint } = options;
  const name = printImage(image);
  switch (image.transport) {
    case 'oci-archive': {
      const [{ checkKind, openTarStore }, { createLayoutSource }] = await Promise.all([
        import('./tar-store.js'),
        import('../layout-source.js'),
      ]);
      const store = await openTarStore(path, {
        named: image.path,
        ...(options.signal && { signal: options.signal }),
      });
      await checkKind(store, { transport: image.transport, path: image.path, name });
      const connection = options.offline ? undefined : options.connection;
      return createLayoutSource(store, { name, select: image.select, hint, connection });
    }
    case 'docker-archive': {
      const { openDockerArchive } = await import('./docker-archive.js');
      return await openDockerArchive({ path, named: image.path, select: image.select, name, hint });
    }
    case 'tar': {
      const { openTarImage } = await import('./tar-image.js');
      return await openTarImage({ path, name, hint });
    }
  }
}

function readOf({ observer, signal, spool, input }: OpenSourceOptions) {
  return { ...(observer && { observer }), ...(signal && { signal }), spool, input };
}
