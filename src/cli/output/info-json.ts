import type { OpenedImage } from '../../build/opened-image.js';
import { escapeText } from '../../escape.js';
import type { ImageIndex } from '../../format/image-index.js';
import type { LayerInfo, Span } from '../../format/model.js';
import { parseJsonObject } from '../../oci/json.js';
import { SPANS_AT_ONCE } from '../../read/plan.js';
import { inTurns } from '../../read/turns.js';

/** What `clip info --json` prints; the fields are documented in docs/cli.md. Sizes are bytes. Foreign text is made safe to print. */
export interface InfoJson {
  schema: 1;
  target: string;
  image: {
    source: string | null;
    manifestDigest: string;
    mediaType: string;
    platform: string;
    created: string | null;
    compressedSize: number;
    uncompressedSize: number;
  };
  layers: LayerJson[];
  index: {
    path: string;
    identity: string;
    origin: string;
    formatVersion: number;
    spacing: number;
    size: number;
    /** Part of the compressed layers' size; null when they have none. */
    share: number | null;
    names: number;
  };
}

export interface LayerJson {
  digest: string;
  mediaType: string;
  encoding: string;
  size: number;
  uncompressedSize: number;
  diffId: string;
  entries: number;
  spans: number;
  /** Places where decoding can start; fewer than spans where a zstd frame is longer than a span. */
  checkpoints: number;
}

export async function infoToJson(target: string, image: OpenedImage, signal: AbortSignal): Promise<InfoJson> {
  const { index } = image;
  const description = await index.describe();
  const compressedSize = index.layers.reduce((sum, layer) => sum + layer.size, 0);
  return {
    schema: 1,
    target,
    image: {
      source: index.sourceHint === undefined ? null : escapeText(index.sourceHint),
      manifestDigest: description.manifestDigest,
      mediaType: escapeText(description.manifestMediaType),
      platform: escapeText(description.platform),
      created: createdOf(description.config),
      compressedSize,
      uncompressedSize: index.layers.reduce((sum, layer) => sum + layer.uncompressedSize, 0),
    },
    layers: await layersToJson(index, signal),
    index: {
      path: image.indexPath,
      identity: index.identity,
      origin: image.origin,
      formatVersion: index.formatVersion,
      spacing: description.spacing,
      size: index.size,
      share: compressedSize === 0 ? null : index.size / compressedSize,
      names: index.nodeCount,
    },
  };
}

/** One after the other, since an index may have thousands. */
async function layersToJson(index: ImageIndex, signal: AbortSignal): Promise<LayerJson[]> {
  const layers: LayerJson[] = [];
  for (let layer = 0; layer < index.layers.length; layer++)
    layers.push(await layerToJson(index, layer, signal));
  return layers;
}

/** What is known of a layer without a look at its spans. */
export function layerFacts(layer: LayerInfo): Omit<LayerJson, 'checkpoints'> {
  return {
    digest: layer.digest,
    mediaType: escapeText(layer.mediaType),
    encoding: layer.encoding,
    size: layer.size,
    uncompressedSize: layer.uncompressedSize,
    diffId: layer.diffId,
    entries: layer.entryCount,
    spans: layer.spanCount,
  };
}

async function layerToJson(index: ImageIndex, number: number, signal: AbortSignal): Promise<LayerJson> {
  const layer = index.layers[number]!;
  return {
    ...layerFacts(layer),
    checkpoints: layer.encoding === 'zstd' ? await frames(index, number, signal) : layer.spanCount,
  };
}

async function frames(index: ImageIndex, layer: number, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const spans of inTurns(spanBatches(index, layer), signal)) {
    count += spans.filter((span) => span.skip === 0).length;
  }
  return count;
}

async function* spanBatches(index: ImageIndex, layer: number): AsyncGenerator<Span[], void, undefined> {
  const { uncompressedSize } = index.layers[layer]!;
  for (let offset = 0; offset < uncompressedSize; ) {
    const spans = await index.spans(layer, offset, uncompressedSize - offset, SPANS_AT_ONCE);
    const last = spans.at(-1);
    if (!last) return;
    yield spans;
    offset = last.offset + last.length;
  }
}

/** `created` of the image's config, if it is text; the config comes from a registry and may be anything. */
function createdOf(config: Uint8Array): string | null {
  try {
    const { created } = parseJsonObject(config, 'the config');
    return typeof created === 'string' ? escapeText(created) : null;
  } catch {
    return null;
  }
}
