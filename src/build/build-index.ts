import { ClipError } from '../errors.js';
import { encodeImage } from '../format/image-encoder.js';
import type { ByteSource } from '../format/image-index.js';
import { openLayerSection } from '../format/layer-section.js';
import type { Observer } from '../observer.js';
import type { ResolvedImage } from '../source/resolve-image.js';
import type { ImageSource } from '../source/source.js';
import type { Entry } from '../tree/entry.js';
import { mergeLayers } from '../tree/merge.js';
import { scanLayer } from './scan-layer.js';

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
  { spacing, sourceHint, sections, observer, signal }: BuildOptions,
): Promise<Uint8Array[]> {
  const layers: { section: Uint8Array; mediaType: string }[] = [];
  const trees: Entry[][] = [];
  const known = new Map<string, { section: Uint8Array; entries: Entry[] }>();
  for (const [i, descriptor] of image.layers.entries()) {
    signal?.throwIfAborted();
    const diffId = image.diffIds[i];
    if (diffId === undefined)
      throw new ClipError('CORRUPT_IMAGE', `the config names no diffID for layer ${i}`);
    let layer = known.get(descriptor.digest);
    if (!layer) {
      const section =
        (await reusable(sections, { digest: descriptor.digest, diffId, spacing })) ??
        (await scanLayer(source, { descriptor, diffId }, { spacing, observer, ...(signal && { signal }) }));
      await sections?.put(descriptor.digest, spacing, section);
      const opened = await openLayerSection(bufferSource(section));
      layer = { section, entries: await opened.entries() };
      known.set(descriptor.digest, layer);
    }
    layers.push({ section: layer.section, mediaType: descriptor.mediaType });
    trees.push(layer.entries);
  }
  return [
    ...encodeImage({
      layers,
      nodes: mergeLayers(trees),
      manifest: image.manifest,
      manifestMediaType: image.manifestMediaType,
      config: image.config,
      platform: image.platform,
      spacing,
      sourceHint,
    }),
  ];
}

/** A stored section, if it is whole and says the same of the layer as this image does. */
async function reusable(
  sections: SectionStore | undefined,
  { digest, diffId, spacing }: { digest: string; diffId: string; spacing: number },
): Promise<Uint8Array | undefined> {
  const section = await sections?.get(digest, spacing);
  if (!section) return undefined;
  try {
    const { info } = await openLayerSection(bufferSource(section));
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
