import { ClipError } from '../errors.js';
import type { ImageRef } from '../reference/image-ref.js';
import { printImage } from '../reference/print-image.js';
import type { OpenSourceOptions } from './open-options.js';
import type { ImageSource } from './source.js';

/**
 * Opens the place that an image lives in. A registry is not asked anything yet. Throws OFFLINE, NOT_FOUND, CORRUPT_IMAGE, UNSUPPORTED,
 * USAGE where a copy is needed and there is no spool or where registries.conf is wrong, DENIED where that blocks the registry.
 */
export async function openSource(image: ImageRef, options: OpenSourceOptions): Promise<ImageSource> {
  switch (image.transport) {
    case 'docker': {
      if (options.offline) {
        throw new ClipError('OFFLINE', `${printImage(image)} needs the network, and --offline forbids it`, {
          hint: 'leave out --offline, or name a local copy: --source oci:DIR:TAG',
        });
      }
      const { openRegistryImage } = await import('./registry/open-registry-image.js');
      return await openRegistryImage(image.reference, options.connection);
    }
    case 'oci': {
      const { openLayout } = await import('./layout.js');
      return await openLayout(image, options.offline ? undefined : options.connection);
    }
    case 'docker-daemon': {
      const { openEngineImage } = await import('./engine/engine-source.js');
      return await openEngineImage(image.reference, options);
    }
    default: {
      const { openArchive } = await import('./archive/open-archive.js');
      return await openArchive(image, options);
    }
  }
}
