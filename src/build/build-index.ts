import { ClipError } from '../errors.js';
import { bufferSource } from '../format/buffer-source.js';
import { encodeImage } from '../format/image-encoder.js';
import { requireTexts } from '../format/image-info.js';
import { openLayerSection } from '../format/layer-section.js';
import { inParallel } from '../in-parallel.js';
import type { Observer } from '../observer.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { ResolvedImage } from '../source/resolve-image.js';
import type { ImageSource } from '../source/source.js';
import { mergeSections } from './merge-sections.js';
import { scanLayer } from './scan-layer.js';
import { createScanPool } from './scan-pool.js';

/** Layers that are asked for elsewhere at the same time. */
const ASKED_AT_ONCE = 8;

/** Where sections of layers that were scanned before are kept; see store.ts. */
export interface SectionStore {
  get(digest: string, spacing: number): Promise<Uint8Array | undefined>;
  put(digest: string, spacing: number, section: Uint8Array): Promise<void>;
}

export interface BuildOptions {
  spacing: number;
  /** A printable reference without secrets, kept in the index as a hint. */
  sourceHint: string;
  sections: SectionStore | undefined;
  /** Asked for what the store does not have; what it gives is not kept there, since others vouch for it. */
  elsewhere?: (layer: Descriptor) => Promise<Uint8Array | undefined>;
  observer: Observer;
  signal?: AbortSignal;
}

export interface IndexChunks {
  /** The file. */
  chunks: Uint8Array[];
  /** Where the sections of its distinct layers are from: numbers of layers. */
  layers: LayerOrigins;
}

/** Layers that were scanned, that were indexed here before, and whose sections others pushed to a registry. */
export interface LayerOrigins {
  scanned: number;
  local: number;
  registry: number;
}

/**
 * Builds the index of one image: every layer that no store knows is scanned once, then the layers are merged. The result is a
 * function of the manifest, the layers and the spacing alone (the hint lies outside the identity).
 */
export async function buildIndex(
  source: ImageSource,
  image: ResolvedImage,
  options: BuildOptions,
): Promise<IndexChunks> {
  const { spacing, sourceHint } = options;
  requireTexts(image);
  const { sections, origins } = await layerSections(source, image, options);
  const layers = image.layers.map(({ digest, mediaType }) => ({ section: sections.get(digest)!, mediaType }));
  const chunks = encodeImage({
    layers,
    nodes: await mergeSections(
      image.layers.map(({ digest }) => digest),
      sections,
      options.signal,
    ),
    manifest: image.manifest,
    manifestMediaType: image.manifestMediaType,
    config: image.config,
    platform: image.platform,
    spacing,
    sourceHint,
  });
  return { chunks, layers: origins };
}

interface ImageLayer {
  descriptor: Descriptor;
  diffId: string;
}

/**
 * Each layer once: an image may have one several times, and only the first is looked at. Throws CORRUPT_IMAGE or DIGEST_MISMATCH where the
 * others are described differently.
 */
function distinctLayers({ layers, diffIds }: ResolvedImage): ImageLayer[] {
  const distinct = new Map<string, ImageLayer>();
  for (const [i, descriptor] of layers.entries()) {
    const { digest, size } = descriptor;
    const diffId = diffIds[i]!;
    const first = distinct.get(digest);
    if (first === undefined) distinct.set(digest, { descriptor, diffId });
    else if (size !== first.descriptor.size) {
      throw new ClipError(
        'CORRUPT_IMAGE',
        `the manifest names layer ${digest} with ${first.descriptor.size} bytes and with ${size}`,
        { hint: 'the image is damaged or was made by a faulty tool; pull or push it anew' },
      );
    } else if (diffId !== first.diffId) {
      throw new ClipError(
        'DIGEST_MISMATCH',
        `the config names layer ${digest} with diffID ${first.diffId} and with ${diffId}`,
        { hint: 'the image is damaged or forged: its config does not belong to its layers' },
      );
    }
  }
  return [...distinct.values()];
}

/** The section of every layer by its digest: from the store, else scanned, as many layers at a time as there are threads. */
async function layerSections(
  source: ImageSource,
  image: ResolvedImage,
  { spacing, sections: store, elsewhere, observer, signal }: BuildOptions,
): Promise<{ sections: Map<string, Uint8Array>; origins: LayerOrigins }> {
  const found = new Map<string, Uint8Array>();
  const missing = new Map<string, ImageLayer>();
  for (const layer of distinctLayers(image)) {
    const { digest } = layer.descriptor;
    const section = await reusable(store?.get(digest, spacing), { ...layer, spacing });
    if (section) found.set(digest, section);
    else missing.set(digest, layer);
  }
  const local = found.size;
  if (elsewhere) {
    await inParallel([...missing], ASKED_AT_ONCE, async ([digest, layer]) => {
      const section = await reusable(elsewhere(layer.descriptor), { ...layer, spacing });
      if (!section) return;
      found.set(digest, section);
      missing.delete(digest);
    });
  }
  const origins = { scanned: missing.size, local, registry: found.size - local };
  // The largest first: what is begun last should be soon done.
  const queue = [...missing.values()].sort((a, b) => b.descriptor.size - a.descriptor.size);
  const pool = createScanPool(queue.map(({ descriptor }) => descriptor));
  const failed = new AbortController();
  const abort = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  try {
    await inParallel(queue, pool.size, async (layer) => {
      try {
        abort.throwIfAborted();
        const { digest } = layer.descriptor;
        const section = await scanLayer(source, layer, { spacing, pool, observer, signal: abort });
        found.set(digest, section);
        await store?.put(digest, spacing, section);
      } catch (error) {
        // The others stop at their next bytes; their threads go on until then.
        failed.abort(error);
        throw error;
      }
    });
  } finally {
    await pool.close();
  }
  return { sections: found, origins };
}

/** A section that somebody has, if it is whole to its last block and says the same of the layer as this image does. */
async function reusable(
  from: Promise<Uint8Array | undefined> | undefined,
  layer: ImageLayer & { spacing: number },
): Promise<Uint8Array | undefined> {
  const section = await from;
  if (!section) return undefined;
  const { descriptor, diffId, spacing } = layer;
  try {
    const { info, spacing: actual, verify } = await openLayerSection(bufferSource(section));
    await verify();
    const fits = info.digest === descriptor.digest && info.size === descriptor.size && info.diffId === diffId;
    return fits && actual === spacing ? section : undefined;
  } catch {
    return undefined;
  }
}
