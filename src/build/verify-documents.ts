import type { Descriptor } from '../oci/descriptor.js';
import { type ImageConfig, parseConfig } from '../oci/parse-config.js';
import { type Manifest, parseManifest } from '../oci/parse-manifest.js';
import { printPlatform } from '../oci/platform.js';
import { digestOf, splitDigest } from '../reference/digest.js';
import type { Checking } from './verify-checking.js';

/** A layer as the manifest and the config name it. */
export interface NamedLayer {
  descriptor: Descriptor;
  diffId: string;
}

/**
 * Holds manifest, config and list of layers against one another and against the source. Returns the layers that the image has, by
 * manifest and config alone.
 */
export async function checkDocuments(checking: Checking): Promise<NamedLayer[]> {
  const { index, description, findings } = checking;
  await checkSource(checking);
  const manifest = parseManifest(description.manifest, description.manifestMediaType);
  if (manifest.kind !== 'manifest') {
    findings.add({ code: 'CORRUPT_INDEX', about: 'manifest', message: 'the index holds no image manifest' });
    return [];
  }
  const config = checkConfig(checking, manifest);
  const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);
  const listed = index.layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
  const meant = manifest.layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
  if (!same(listed, meant)) {
    const message = "the index's layers are not the manifest's";
    findings.add({ code: 'CORRUPT_INDEX', about: 'manifest', message });
  }
  const diffIds = index.layers.map((layer) => layer.diffId);
  if (config && !same(diffIds, config.diffIds)) {
    findings.add({
      code: 'CORRUPT_INDEX',
      about: 'config',
      message: "the index's diffIDs are not the config's",
    });
  }
  return manifest.layers.flatMap((descriptor, i) => {
    const diffId = config?.diffIds[i] ?? diffIds[i];
    return diffId === undefined ? [] : [{ descriptor, diffId }];
  });
}

/** The source must have the manifest under its digest: that is where the image's name leads. */
async function checkSource({ source, description, findings, options }: Checking): Promise<void> {
  const { scanObserver: observer, signal } = options;
  try {
    const { bytes } = await source.manifest(description.manifestDigest, {
      observer,
      ...(signal && { signal }),
    });
    if (Buffer.compare(bytes, description.manifest) === 0) return;
    const message = `the manifest at ${source.name} is not the index's`;
    findings.add({ code: 'DIGEST_MISMATCH', about: 'manifest', message });
  } catch (error) {
    findings.caught(error, { about: 'manifest' });
  }
}

function checkConfig({ description, findings }: Checking, manifest: Manifest): ImageConfig | undefined {
  const { digest } = manifest.config;
  const actual = digestOf(description.config, splitDigest(digest).algorithm);
  if (actual !== digest) {
    const message = `the index's config has digest ${actual}, the manifest says ${digest}`;
    findings.add({ code: 'DIGEST_MISMATCH', about: 'config', message });
  }
  try {
    const config = parseConfig(description.config);
    const platform = config.platform && printPlatform(config.platform);
    if (platform !== undefined && platform !== description.platform) {
      const message = `the index is for ${description.platform}, the config for ${platform}`;
      findings.add({ code: 'CORRUPT_INDEX', about: 'config', message });
    }
    return config;
  } catch (error) {
    findings.caught(error, { about: 'config' });
    return undefined;
  }
}
