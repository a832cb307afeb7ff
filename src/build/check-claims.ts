import { ClipError } from '../errors.js';
import type { ImageIndex } from '../format/image-index.js';
import { parseConfig } from '../oci/parse-config.js';
import { parseManifest } from '../oci/parse-manifest.js';
import { printPlatform } from '../oci/platform.js';
import { digestOf, splitDigest } from '../reference/digest.js';

/**
 * Holds what an index claims against the image's own manifest: the bytes under the digest that the registry names for the image,
 * which the index carries, so no request is needed. Layers, sizes, order, config and diffIDs must be the manifest's. What the index
 * says of the layers' content is not proved by this (docs/security.md). Throws CORRUPT_INDEX.
 */
export async function checkClaims(index: ImageIndex, manifestDigest: string): Promise<void> {
  const claims = await index.describe();
  if (claims.manifestDigest !== manifestDigest) lie(`it is of the image ${claims.manifestDigest}`);
  const manifest = parseManifest(claims.manifest, claims.manifestMediaType);
  if (manifest.kind !== 'manifest') return lie('it is of an image index');
  const { digest } = manifest.config;
  const config = digestOf(claims.config, splitDigest(digest).algorithm);
  if (config !== digest) lie(`its config is ${config}, the manifest's is ${digest}`);
  const { diffIds, platform } = parseConfig(claims.config);
  if (platform !== undefined && printPlatform(platform) !== claims.platform) {
    lie(`it is for ${claims.platform}, the image for ${printPlatform(platform)}`);
  }
  if (index.layers.length !== manifest.layers.length) {
    lie(`it has ${index.layers.length} layers, the image has ${manifest.layers.length}`);
  }
  for (const [i, layer] of manifest.layers.entries()) {
    const claimed = index.layers[i]!;
    if (claimed.digest !== layer.digest)
      lie(`its layer ${i} is ${claimed.digest}, the image's is ${layer.digest}`);
    if (claimed.size !== layer.size)
      lie(`its layer ${i} has ${claimed.size} bytes, the image's has ${layer.size}`);
    if (claimed.diffId !== diffIds[i])
      lie(`its layer ${i} unpacks to ${claimed.diffId}, the image's to ${diffIds[i]}`);
  }
}

function lie(problem: string): never {
  throw new ClipError('CORRUPT_INDEX', `the index does not belong to the image: ${problem}`, {
    hint: 'whoever pushed it made a mistake or lies: build one yourself with --index build',
  });
}
