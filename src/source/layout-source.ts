/** An OCI image layout in any content store (image-spec, image-layout.md). */

import { ClipError, isClipError } from '../errors.js';
import type { ConnectionOptions } from '../http/options.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestOf, splitDigest } from '../reference/digest.js';
import type { Selection } from '../reference/image-ref.js';
import { type ContentStore, readDocument, readFileRange } from './content-store.js';
import type { BlobReader } from './registry/blob-reader.js';
import { selectManifest } from './select-manifest.js';
import type { ImageSource, ManifestResult, ReadOptions } from './source.js';

export interface LayoutSourceOptions {
  /** Printable transport and reference. */
  name: string;
  select: Selection;
  hint?: string | undefined;
  /** To reach layers that are not distributed with the image, by their `urls`; none: that is OFFLINE. */
  connection: ConnectionOptions | undefined;
}

/** The source takes the store over and closes it. */
export function createLayoutSource(
  store: ContentStore,
  { name, select, hint, connection }: LayoutSourceOptions,
): ImageSource {
  let foreign: (BlobReader & { close(): Promise<void> }) | undefined;

  async function manifest(digest: string | undefined, options: ReadOptions = {}): Promise<ManifestResult> {
    if (digest !== undefined) return await readManifest(digest, '', options);
    const index = await readDocument(store, 'index.json', { ...options, what: `the index.json of ${name}` });
    const chosen = selectManifest(index, select, name);
    if (chosen === undefined) return { bytes: index, mediaType: '', digest: digestOf(index) };
    return await readManifest(chosen.digest, chosen.mediaType, options);
  }

  async function readManifest(
    digest: string,
    mediaType: string,
    options: ReadOptions,
  ): Promise<ManifestResult> {
    const bytes = await readDocument(store, blobPath(digest), { ...options, what: `the manifest ${digest}` });
    if (digestOf(bytes, splitDigest(digest).algorithm) !== digest) {
      throw new ClipError('DIGEST_MISMATCH', `${name}: the manifest ${digest} does not have its digest`, {
        hint: 'the layout is damaged; copy the image anew',
      });
    }
    return { bytes, mediaType, digest: digestOf(bytes) };
  }

  function read(
    descriptor: Descriptor,
    range: { start: number; end: number },
    options: ReadOptions,
  ): AsyncIterable<Uint8Array> {
    const { digest, size, urls } = descriptor;
    const local = () =>
      readFileRange(store, blobPath(digest), { ...range, size }, { ...options, what: `blob ${digest}` });
    return urls === undefined ? local() : readHereOrThere(descriptor, range, options, local);
  }

  async function* readHereOrThere(
    descriptor: Descriptor,
    { start, end }: { start: number; end: number },
    options: ReadOptions,
    local: () => AsyncGenerator<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    try {
      return yield* local();
    } catch (error) {
      // Missing it can be only before its first byte.
      if (!isClipError(error, 'NOT_FOUND')) throw error;
    }
    if (connection === undefined) {
      throw new ClipError('OFFLINE', `blob ${descriptor.digest} is not in ${name}, only at its urls`, {
        hint: 'leave out --offline to read the layer from there',
      });
    }
    const { createForeignReader } = await import('./registry/foreign-layer.js');
    foreign ??= createForeignReader(connection, name);
    yield* foreign.read(descriptor, start, end, options);
  }

  return {
    name,
    hint,
    manifest,
    blob: (descriptor, options = {}) =>
      read(descriptor, { start: options.offset ?? 0, end: descriptor.size }, options),
    range: (descriptor, { offset, length }, options = {}) =>
      read(descriptor, { start: offset, end: offset + length }, options),
    async close() {
      await foreign?.close();
      await store.close();
    },
  };
}

/** The digest is validated, so its hex cannot leave the store. */
function blobPath(digest: string): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}
