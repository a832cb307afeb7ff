/** Which image of a layout's or archive's `index.json` is meant. */

import { ClipError } from '../errors.js';
import type { Descriptor } from '../oci/descriptor.js';
import { corrupt } from '../oci/json.js';
import { parseManifest } from '../oci/parse-manifest.js';
import type { Selection } from '../reference/image-ref.js';
import { quote } from '../reference/invalid.js';

const REF_NAME = 'org.opencontainers.image.ref.name';
/** What containerd and docker write beside it. */
const CONTAINERD_NAME = 'io.containerd.image.name';
const MAX_LISTED = 20;

/**
 * The descriptor that `select` means. Undefined means `index.json` itself: nothing is selected and its manifests are one
 * image for several platforms. Throws NOT_FOUND, which lists what there is.
 */
export function selectManifest(index: Uint8Array, select: Selection, name: string): Descriptor | undefined {
  const document = parseManifest(index, '');
  if (document.kind !== 'index') throw corrupt(name, 'has an index.json that is no image index');
  const { manifests } = document;
  if (select.digest !== undefined) {
    // A digest may also name what is nested: the blob is there or it is not.
    const { digest } = select;
    return manifests.find((entry) => entry.digest === digest) ?? { mediaType: '', digest, size: 0 };
  }
  if (select.number !== undefined) {
    const entry = manifests[select.number];
    if (entry !== undefined) return entry;
    throw notFound(`${name} has no image number ${select.number}`, manifests);
  }
  if (select.name !== undefined) {
    const wanted = select.name;
    const entry = manifests.find((candidate) => namesOf(candidate).includes(wanted));
    if (entry !== undefined) return entry;
    throw notFound(`there is no image ${quote(wanted)} in ${name}`, manifests);
  }
  if (manifests.length === 1) return manifests[0];
  if (manifests.length === 0) throw notFound(`${name} holds no image`, manifests);
  if (manifests.every((entry) => namesOf(entry).length === 0 && entry.platform !== undefined))
    return undefined;
  throw notFound(`${name} holds ${manifests.length} images`, manifests);
}

function namesOf(descriptor: Descriptor): string[] {
  const names = [REF_NAME, CONTAINERD_NAME].map((key) => descriptor.annotations?.[key]);
  return names.filter((name) => name !== undefined && name !== '') as string[];
}

function notFound(message: string, manifests: readonly Descriptor[]): ClipError {
  const listed = manifests.slice(0, MAX_LISTED).map((entry, i) => namesOf(entry)[0] ?? `@${i}`);
  const more = manifests.length > MAX_LISTED ? ', …' : '';
  const hint =
    listed.length === 0
      ? 'copy an image into it: skopeo copy docker://IMAGE oci:DIR:TAG'
      : `it has: ${listed.map((name) => quote(name).slice(1, -1)).join(', ')}${more}; choose one with :NAME after the path`;
  return new ClipError('NOT_FOUND', message, { hint });
}
