/** Media types of OCI (image-spec, media-types.md) and Docker (distribution-spec v2.2) images. */

export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
export const OCI_EMPTY = 'application/vnd.oci.empty.v1+json';

/** What is asked of a registry in `Accept`, most wanted first. */
export const ACCEPTED_MANIFESTS: readonly string[] = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST];

export type ManifestKind = 'index' | 'manifest' | 'schema1';

/** The kind of document that a media type names, parameters such as `; charset=utf-8` aside; undefined if none of ours. */
export function manifestKind(mediaType: string): ManifestKind | undefined {
  switch (bareMediaType(mediaType)) {
    case OCI_INDEX:
    case DOCKER_LIST:
      return 'index';
    case OCI_MANIFEST:
    case DOCKER_MANIFEST:
      return 'manifest';
    case 'application/vnd.docker.distribution.manifest.v1+json':
    case 'application/vnd.docker.distribution.manifest.v1+prettyjws':
      return 'schema1';
    default:
      return undefined;
  }
}

export function bareMediaType(mediaType: string): string {
  const semicolon = mediaType.indexOf(';');
  return (semicolon < 0 ? mediaType : mediaType.slice(0, semicolon)).trim().toLowerCase();
}

export function isImageConfig(mediaType: string): boolean {
  const bare = bareMediaType(mediaType);
  return bare === OCI_CONFIG || bare === DOCKER_CONFIG;
}

export interface LayerType {
  /** Non-distributable: the registry need not have the blob, `urls` say where it is. */
  foreign: boolean;
}

const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[.+](?:gzip|zstd))?$/;

/** The layer type that a media type names, undefined if it is none that holds a tar. How that is packed the bytes' magic decides. */
export function layerType(mediaType: string): LayerType | undefined {
  const bare = bareMediaType(mediaType);
  if (!LAYER.test(bare)) return undefined;
  return { foreign: bare.includes('nondistributable') || bare.includes('.foreign.') };
}
