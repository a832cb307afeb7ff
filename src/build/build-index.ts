import { encodeImage } from '../format/image-encoder.js';
import type { ByteSource } from '../format/image-index.js';
import { openLayerSection } from '../format/layer-section.js';
import type { Observer } from '../observer.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { ResolvedImage } from '../source/resolve-image.js';
import type { ImageSource } from '../source/source.js';
import type { Entry } from '../tree/entry.js';
import { mergeLayers } from '../tree/merge.js';
import { scanLayer } from './scan-layer.js';
import { createScanPool } from './scan-pool.js';

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
  observer: Observer;
  signal?: AbortSignal;
}

/**
 * Builds the index of one image: every layer that no store knows is scanned once, then the layers are merged. The result is a
 * function of the manifest, the layers and the spacing alone (the hint lies outside the identity). Returns the file in chunks.
 */
export async function buildIndex(
  source: ImageSource,
  image: ResolvedImage,
  options: BuildOptions,
): Promise<Uint8Array[]> {
  const { spacing, sourceHint } = options;
  const sections = await layerSections(source, image, options);
  const layers = image.layers.map(({ digest, mediaType }) => ({ section: sections.get(digest)!, mediaType }));
  const entries = new Map<string, Entry[]>();
  for (const [digest, section] of sections) {
    entries.set(digest, await (await openLayerSection(bufferSource(section))).entries());
  }
  return encodeImage({
    layers,
    nodes: mergeLayers(image.layers.map(({ digest }) => entries.get(digest)!)),
    manifest: image.manifest,
    manifestMediaType: image.manifestMediaType,
    config: image.config,
    platform: image.platform,
    spacing,
    sourceHint,
  });
}

/** The section of every layer by its digest: from the store, else scanned, as many layers at a time as there are threads. */
async function layerSections(
  source: ImageSource,
  image: ResolvedImage,
  { spacing, sections: store, observer, signal }: BuildOptions,
): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  const missing = new Map<string, { descriptor: Descriptor; diffId: string }>();
  for (const [i, descriptor] of image.layers.entries()) {
    const { digest } = descriptor;
    const diffId = image.diffIds[i]!;
    if (found.has(digest) || missing.has(digest)) continue;
    const section = await reusable(store, { digest, diffId, spacing });
    if (section) found.set(digest, section);
    else missing.set(digest, { descriptor, diffId });
  }
  // The largest first: what is begun last should be soon done.
  const queue = [...missing.values()].sort((a, b) => b.descriptor.size - a.descriptor.size);
  const pool = createScanPool(queue.map(({ descriptor }) => descriptor));
  const failed = new AbortController();
  const abort = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  try {
    await Promise.all(Array.from({ length: pool.size }, work));
  } finally {
    await pool.close();
  }
  return found;

  async function work(): Promise<void> {
    try {
      for (let next = queue.shift(); next; next = queue.shift()) {
        abort.throwIfAborted();
        const { digest } = next.descriptor;
        const section = await scanLayer(source, next, { spacing, pool, observer, signal: abort });
        found.set(digest, section);
        await store?.put(digest, spacing, section);
      }
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  }
}

/** A stored section, if it is whole to its last block and says the same of the layer as this image does. */
async function reusable(
  sections: SectionStore | undefined,
  { digest, diffId, spacing }: { digest: string; diffId: string; spacing: number },
): Promise<Uint8Array | undefined> {
  const section = await sections?.get(digest, spacing);
  if (!section) return undefined;
  try {
    const { info, verify } = await openLayerSection(bufferSource(section));
    await verify();
    return info.digest === digest && info.diffId === diffId ? section : undefined;
  } catch {
    return undefined;
  }
}

export function bufferSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    close: async () => {},
  };
}
