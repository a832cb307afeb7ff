/** Manifests and image indexes, OCI and Docker v2 (image-spec, manifest.md and image-index.md). */

import { ClipError } from '../errors.js';
import type { Descriptor } from './descriptor.js';
import { asArray, asText, corrupt, type JsonObject, optionalText, own, parseJsonObject } from './json.js';
import {
  bareMediaType,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  isImageConfig,
  layerType,
  manifestKind,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.js';
import { parseDescriptor } from './parse-descriptor.js';

/** Overlay file systems take 500 layers, docker 127; a manifest with more than this is no image. */
const MAX_LAYERS = 1024;
const MAX_MANIFESTS = 4096;

export interface Manifest {
  kind: 'manifest';
  mediaType: string;
  config: Descriptor;
  layers: readonly Descriptor[];
}

export interface Index {
  kind: 'index';
  mediaType: string;
  manifests: readonly Descriptor[];
}

/**
 * Parses and validates. The document's own `mediaType`, else its shape, decides what it is; the transport's word counts only
 * where both are silent, so that a registry with a wrong Content-Type is still read. Throws CORRUPT_IMAGE, LIMIT, or
 * UNSUPPORTED (schema 1, artifacts that are no images).
 */
export function parseManifest(bytes: Uint8Array, transportType = ''): Manifest | Index {
  const document = parseJsonObject(bytes, 'the manifest');
  const kind = documentKind(document, transportType);
  if (kind === 'schema1') {
    throw new ClipError('UNSUPPORTED', 'the image has a Docker schema 1 manifest, a form abandoned in 2017', {
      hint: 'convert it: skopeo copy --format oci docker://IMAGE oci:DIR:TAG',
    });
  }
  return kind === 'index' ? parseIndex(document) : parseImageManifest(document);
}

function documentKind(document: JsonObject, transportType: string): 'index' | 'manifest' | 'schema1' {
  if (own(document, 'schemaVersion') === 1 || own(document, 'fsLayers') !== undefined) return 'schema1';
  const declared = optionalText(document, 'mediaType', 'the manifest');
  const kind = declared === undefined ? undefined : manifestKind(declared);
  if (kind !== undefined) return checkShape(document, kind);
  const hasLayers = own(document, 'layers') !== undefined || own(document, 'config') !== undefined;
  const hasManifests = own(document, 'manifests') !== undefined;
  // Both at once is how one document is passed off as two (CVE-2021-41190): refused where nothing says which it is.
  if (hasLayers && hasManifests) throw corrupt('the manifest', 'is both a manifest and an image index');
  if (declared !== undefined) throw notAnImage(`a document of type ${JSON.stringify(declared)}`);
  if (hasManifests) return 'index';
  if (hasLayers) return 'manifest';
  return manifestKind(transportType) ?? 'manifest';
}

/** The same attack where a media type is written: what the type does not have must not be there. */
function checkShape(document: JsonObject, kind: 'index' | 'manifest' | 'schema1'): typeof kind {
  const stray = kind === 'index' ? ['layers', 'config'] : ['manifests'];
  if (stray.some((key) => own(document, key) !== undefined)) {
    throw corrupt('the manifest', 'is both a manifest and an image index');
  }
  return kind;
}

function parseIndex(document: JsonObject): Index {
  const manifests = asArray(own(document, 'manifests'), 'the image index .manifests', MAX_MANIFESTS);
  return {
    kind: 'index',
    mediaType: optionalText(document, 'mediaType', 'the image index') ?? OCI_INDEX,
    manifests: manifests.map((entry, i) => parseDescriptor(entry, `the image index .manifests[${i}]`)),
  };
}

function parseImageManifest(document: JsonObject): Manifest {
  const artifactType = optionalText(document, 'artifactType', 'the manifest');
  if (own(document, 'config') === undefined) {
    if (artifactType !== undefined) throw notAnImage(`an artifact of type ${JSON.stringify(artifactType)}`);
    throw corrupt('the manifest', 'has no config');
  }
  const config = parseDescriptor(own(document, 'config'), 'the manifest .config');
  if (!isImageConfig(config.mediaType)) {
    throw notAnImage(`an artifact of type ${JSON.stringify(artifactType ?? config.mediaType)}`);
  }
  const declared = optionalText(document, 'mediaType', 'the manifest');
  const layers = asArray(own(document, 'layers') ?? [], 'the manifest .layers', MAX_LAYERS);
  return {
    kind: 'manifest',
    mediaType: declared ?? OCI_MANIFEST,
    config,
    layers: layers.map((entry, i) => checkLayer(parseDescriptor(entry, `the manifest .layers[${i}]`))),
  };
}

/**
 * Encrypted layers and foreign forms cannot be read as a tar; what is merely mislabelled can, because the magic decides.
 */
function checkLayer(layer: Descriptor): Descriptor {
  if (layerType(layer.mediaType) !== undefined || layer.mediaType === '') return layer;
  const bare = bareMediaType(layer.mediaType);
  if (bare.endsWith('+encrypted')) {
    throw new ClipError('UNSUPPORTED', `layer ${layer.digest} is encrypted`, {
      hint: 'decrypt the image first: skopeo copy --decryption-key …',
    });
  }
  if (bare === 'application/octet-stream' || /(?:tar|gzip|zstd)/.test(bare)) return layer;
  throw new ClipError(
    'UNSUPPORTED',
    `layer ${layer.digest} is of type ${JSON.stringify(asText(layer.mediaType, 'type'))}`,
    {
      hint: 'clip reads layers that are tar archives: plain, gzip or zstd.',
    },
  );
}

function notAnImage(what: string): ClipError {
  return new ClipError('UNSUPPORTED', `this is not a container image but ${what}`, {
    hint: 'clip reads container images; use oras or regctl for other artifacts.',
  });
}

/** Media type to record for a manifest: its own, else the transport's if that is of the right kind, else OCI's. */
export function manifestMediaType(document: Manifest | Index, transportType: string): string {
  const known = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];
  const bare = bareMediaType(transportType);
  const silent = document.mediaType === OCI_INDEX || document.mediaType === OCI_MANIFEST;
  if (silent && known.includes(bare) && manifestKind(bare) === document.kind) return bare;
  return document.mediaType;
}
