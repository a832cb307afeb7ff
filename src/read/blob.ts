import type { LayerInfo } from '../format/model.js';
import type { Descriptor } from '../oci/descriptor.js';
import { layerType } from '../oci/media-types.js';
import type { ReadContext } from './context.js';

/** Bytes [start, end) of a layer's blob, from the image's source, with one request. */
export async function* blobRange(
  context: ReadContext,
  info: LayerInfo,
  range: { start: number; end: number; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const { observer } = context;
  const { start, end, signal } = range;
  const source = await context.source();
  const descriptor = await describeLayer(context, info, signal);
  yield* source.range(descriptor, { offset: start, length: end - start }, { observer, signal });
}

/** All of a layer's blob. */
export async function* wholeBlob(
  context: ReadContext,
  info: LayerInfo,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const source = await context.source();
  const descriptor = await describeLayer(context, info, signal);
  yield* source.blob(descriptor, { observer: context.observer, signal });
}

/**
 * A non-distributable layer may lie only where its `urls` say. They are asked of the image's source and not of the index's copy of the
 * manifest: an index from elsewhere chooses no host (docs/security.md).
 */
async function describeLayer(
  context: ReadContext,
  info: LayerInfo,
  signal: AbortSignal,
): Promise<Descriptor> {
  const descriptor: Descriptor = { mediaType: info.mediaType, digest: info.digest, size: info.size };
  if (layerType(info.mediaType)?.foreign !== true) return descriptor;
  const { parseManifest } = await import('../oci/parse-manifest.js');
  const source = await context.source();
  const { manifestDigest } = await context.index.describe();
  const { observer } = context;
  const { bytes, mediaType } = await source.manifest(manifestDigest, { observer, signal });
  const manifest = parseManifest(bytes, mediaType);
  const named = manifest.kind === 'manifest' ? manifest.layers : [];
  return named.find((layer) => layer.digest === info.digest) ?? descriptor;
}
