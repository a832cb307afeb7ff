/**
 * A bare root file system tar (`tar:FILE`), plain, gzip or zstd, as an image of one layer. To name it by digest the file is read
 * and hashed once, when its manifest is asked for; reads by an index that exists do not.
 */

import { createHash } from 'node:crypto';
import { ClipError } from '../../errors.js';
import type { Encoding } from '../../format/model.js';
import { createLayerDecoder } from '../../inflate/decode.js';
import { FOREIGN_LENGTH } from '../../inflate/detect.js';
import type { Descriptor } from '../../oci/descriptor.js';
import { digestOf } from '../../reference/digest.js';
import { type ContentStore, fileError, readFileRange } from '../content-store.js';
import { openFile } from '../layout.js';
import { createOpening } from '../opening.js';
import type { ImageSource, ManifestResult, ReadOptions } from '../source.js';
import { makeManifest } from './make-manifest.js';
import { compressionOf } from './uncompress.js';

interface Opened {
  manifest: ManifestResult;
  config: Uint8Array;
}

/** Throws NOT_FOUND or IO. */
export async function openTarImage(options: {
  path: string;
  name?: string;
  hint?: string | undefined;
}): Promise<ImageSource> {
  const { path, name = `tar:${path}`, hint } = options;
  const what = `the file ${JSON.stringify(path)}`;
  const file = await openFile(path).catch((error: unknown) => {
    throw fileError(error, what);
  });
  if (file === undefined)
    throw new ClipError('NOT_FOUND', `${what} does not exist`, { hint: 'check the path' });
  const store: ContentStore = {
    open: async () => ({ ...file, async close() {} }),
    close: () => file.close(),
  };
  let config: Uint8Array | undefined;
  const openOnce = createOpening(async (read) => {
    const opened = await openImage(store, { ...read, what, size: file.size });
    config = opened.config;
    return opened;
  });

  async function* read(
    descriptor: Descriptor,
    range: { start: number; end: number },
    options: ReadOptions,
  ): AsyncGenerator<Uint8Array> {
    if (config !== undefined && descriptor.digest === digestOf(config))
      yield config.subarray(range.start, range.end);
    else yield* readFileRange(store, path, { ...range, size: descriptor.size }, { ...options, what });
  }

  return {
    name,
    hint,
    manifest: async (_, options = {}) => (await openOnce(options)).manifest,
    blob: (descriptor, options = {}) =>
      read(descriptor, { start: options.offset ?? 0, end: descriptor.size }, options),
    range: (descriptor, { offset, length }, options = {}) =>
      read(descriptor, { start: offset, end: offset + length }, options),
    close: () => store.close(),
  };
}

async function openImage(
  store: ContentStore,
  options: ReadOptions & { what: string; size: number },
): Promise<Opened> {
  const { size, ...read } = options;
  const blob = createHash('sha256');
  const tar = createHash('sha256');
  let encoding: Encoding = 'plain';
  let decoder: ReturnType<typeof createLayerDecoder> | undefined;
  let first = true;
  try {
    for await (const chunk of readFileRange(store, '', { start: 0, end: size }, read)) {
      if (first) {
        encoding = compressionOf(chunk.subarray(0, FOREIGN_LENGTH), options.what) ?? 'plain';
        if (encoding !== 'plain')
          decoder = createLayerDecoder(encoding, { data: (bytes) => void tar.update(bytes) });
        first = false;
      }
      blob.update(chunk);
      await decoder?.push(chunk);
    }
    await decoder?.end();
  } finally {
    decoder?.close();
  }
  const digest = `sha256:${blob.digest('hex')}`;
  const diffId = decoder === undefined ? digest : `sha256:${tar.digest('hex')}`;
  const suffix = encoding === 'plain' ? '' : `+${encoding}`;
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'unknown', rootfs: { type: 'layers', diff_ids: [diffId] } }),
  );
  const layer = { mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`, digest, size };
  return { manifest: makeManifest(config, [layer]), config };
}
