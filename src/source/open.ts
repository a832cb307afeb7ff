import { ClipError } from '../errors.js';
import type { ConnectionOptions } from '../http/options.js';
import type { ImageRef } from '../reference/image-ref.js';
import { printImage } from '../reference/print-image.js';
import type { ImageSource } from './source.js';

export interface OpenSourceOptions {
  connection: ConnectionOptions;
  /** No network: images in registries cannot be opened. */
  offline: boolean;
}

/**
 * Opens the place that an image lives in. A registry is not asked anything yet. Throws OFFLINE, NOT_FOUND, CORRUPT_IMAGE, or
 * UNSUPPORTED for a transport that this version does not read.
 */
export async function openSource(image: ImageRef, options: OpenSourceOptions): Promise<ImageSource> {
  switch (image.transport) {
    case 'docker': {
      if (options.offline) {
        throw new ClipError('OFFLINE', `${printImage(image)} needs the network, and --offline forbids it`, {
          hint: 'Leave out --offline, or name a local copy: --source oci:DIR:TAG.',
        });
      }
      const { openRegistry } = await import('./registry/registry-source.js');
      return openRegistry(image.reference, { connection: options.connection });
    }
    case 'oci': {
      const { openLayout } = await import('./layout.js');
      return await openLayout(image);
    }
    case 'oci-archive': {
      const [{ openTarStore }, { createLayoutSource }] = await Promise.all([
        import('./archive/tar-store.js'),
        import('./layout-source.js'),
      ]);
      const store = await openTarStore(image.path);
      return createLayoutSource(store, { name: printImage(image), select: image.select });
    }
    case 'docker-archive': {
      const { openDockerArchive } = await import('./archive/docker-archive.js');
      return await openDockerArchive(image);
    }
    case 'tar': {
      const { openTarImage } = await import('./archive/tar-image.js');
      return await openTarImage(image);
    }
    default:
      throw new ClipError('UNSUPPORTED', `the transport ${image.transport}: cannot be read yet`, {
        hint: `Copy it into an OCI layout: skopeo copy ${printImage(image)} oci:DIR:TAG.`,
      });
  }
}
