/** OCI image layouts: a directory with `oci-layout`, `index.json` and `blobs/<algorithm>/<hex>` (image-spec, image-layout.md). */

import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ClipError } from '../errors.js';
import { abortError } from '../http/errors.js';
import { silentObserver } from '../observer.js';
import type { Descriptor } from '../oci/descriptor.js';
import { MAX_DOCUMENT } from '../oci/json.js';
import { digestOf, splitDigest } from '../reference/digest.js';
import type { Selection } from '../reference/image-ref.js';
import { printImage } from '../reference/print-image.js';
import { selectManifest } from './select-manifest.js';
import type { ImageSource, ManifestResult, ReadOptions } from './source.js';

const CHUNK = 256 << 10;

export interface LayoutOptions {
  /** Directory of the layout. */
  path: string;
  select: Selection;
}

/** Opens a layout. Throws NOT_FOUND (no directory) or CORRUPT_IMAGE (a directory that is no layout). */
export async function openLayout({ path, select }: LayoutOptions): Promise<ImageSource> {
  await checkLayout(path);
  const name = printImage({ transport: 'oci', path, select });

  async function manifest(digest: string | undefined, options: ReadOptions = {}): Promise<ManifestResult> {
    if (options.signal?.aborted === true) throw abortError(options.signal);
    if (digest !== undefined) return await readManifest(digest, '', options);
    const index = await readSmall(join(path, 'index.json'), 'index.json', options);
    const chosen = selectManifest(index, select, name);
    if (chosen === undefined) return { bytes: index, mediaType: '', digest: digestOf(index) };
    return await readManifest(chosen.digest, chosen.mediaType, options);
  }

  async function readManifest(
    digest: string,
    mediaType: string,
    options: ReadOptions,
  ): Promise<ManifestResult> {
    const bytes = await readSmall(blobPath(path, digest), `the manifest ${digest}`, options);
    if (digestOf(bytes, splitDigest(digest).algorithm) !== digest) {
      throw new ClipError('DIGEST_MISMATCH', `${name}: the manifest ${digest} does not have its digest`, {
        hint: 'The layout is damaged; copy the image anew.',
      });
    }
    return { bytes, mediaType, digest: digestOf(bytes) };
  }

  return {
    name,
    manifest,
    blob: (descriptor, options = {}) =>
      readRange(path, descriptor, { start: options.offset ?? 0, end: descriptor.size }, options),
    range: (descriptor, { offset, length }, options = {}) =>
      readRange(path, descriptor, { start: offset, end: offset + length }, options),
    async close() {},
  };
}

async function checkLayout(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    throw new ClipError('NOT_FOUND', `there is no OCI layout ${JSON.stringify(path)}`, {
      hint: 'Write oci:DIRECTORY or oci:DIRECTORY:TAG.',
    });
  }
  if (!found.isDirectory()) {
    throw new ClipError('NOT_FOUND', `${JSON.stringify(path)} is not a directory`, {
      hint: 'A layout in a tar file is oci-archive:FILE.',
    });
  }
  if ((await stat(join(path, 'index.json')).catch(() => undefined))?.isFile() !== true) {
    throw new ClipError('CORRUPT_IMAGE', `${JSON.stringify(path)} is no OCI layout: it has no index.json`, {
      hint: 'Make one with skopeo copy docker://IMAGE oci:DIR:TAG.',
    });
  }
}

/** The digest is validated, so its hex cannot leave the directory. */
function blobPath(path: string, digest: string): string {
  const { algorithm, hex } = splitDigest(digest);
  return join(path, 'blobs', algorithm, hex);
}

async function readSmall(path: string, what: string, options: ReadOptions): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > MAX_DOCUMENT) throw new ClipError('LIMIT', `${what} is larger than 4 MiB`);
    const bytes = await readFile(path);
    (options.observer ?? silentObserver).emit({ type: 'fetched', bytes: bytes.length });
    return bytes;
  } catch (error) {
    throw fileError(error, what);
  }
}

async function* readRange(
  path: string,
  descriptor: Descriptor,
  range: { start: number; end: number },
  options: ReadOptions,
): AsyncGenerator<Uint8Array> {
  const { start, end } = range;
  const what = `blob ${descriptor.digest}`;
  if (!Number.isSafeInteger(end) || start < 0 || start > end || end > descriptor.size) {
    throw new ClipError('CORRUPT_INDEX', `bytes ${start} to ${end} lie outside ${what}`, {
      hint: 'The index does not fit the image; build it anew.',
    });
  }
  const file = await open(blobPath(path, descriptor.digest)).catch((error: unknown) => {
    throw fileError(error, what);
  });
  const observer = options.observer ?? silentObserver;
  try {
    const { size } = await file.stat();
    if (size !== descriptor.size) {
      throw new ClipError(
        'CORRUPT_IMAGE',
        `${what} has ${size} bytes, the manifest says ${descriptor.size}`,
        {
          hint: 'The layout is damaged; copy the image anew.',
        },
      );
    }
    // One buffer serves all chunks: a chunk is valid until the next one is asked for.
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, end - start));
    for (let position = start; position < end; ) {
      if (options.signal?.aborted === true) throw abortError(options.signal);
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position);
      if (bytesRead === 0) {
        throw new ClipError('CORRUPT_IMAGE', `${what} became shorter while it was read`);
      }
      observer.emit({ type: 'fetched', bytes: bytesRead });
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw fileError(error, what);
  } finally {
    await file.close();
  }
}

function fileError(error: unknown, what: string): unknown {
  if (error instanceof ClipError || !(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    return new ClipError('NOT_FOUND', `${what} is missing from the layout`, {
      hint: 'The layout is incomplete; copy the image anew.',
      cause: error,
    });
  }
  return new ClipError('IO', `${what} cannot be read (${String(error.code)})`, {
    hint: 'Check the layout’s permissions.',
    cause: error,
  });
}
