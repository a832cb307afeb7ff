import type { Descriptor } from '../../oci/descriptor.js';
import { OCI_CONFIG, OCI_MANIFEST } from '../../oci/media-types.js';
import { digestOf } from '../../reference/digest.js';
import type { ManifestResult } from '../source.js';

/** An OCI manifest for an image that came without one. The same config and layers give the same bytes. */
export function makeManifest(config: Uint8Array, layers: readonly Descriptor[]): ManifestResult {
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  return { bytes, mediaType: OCI_MANIFEST, digest: digestOf(bytes) };
}
