import { encodeImage } from '../format/image-encoder.js';
import { requireTexts } from '../format/image-info.js';
import type { ResolvedImage } from '../source/resolve-image.js';
import type { ImageSource } from '../source/source.js';
import { type LayerOrigins, layerSections, type SectionOptions } from './layer-sections.js';
import { mergeSections } from './merge-sections.js';

export interface BuildOptions extends SectionOptions {
  /** A printable reference without secrets, kept in the index as a hint. */
  sourceHint: string;
}

export interface IndexChunks {
  /** The file. */
  chunks: Uint8Array[];
  /** Where the sections of its distinct layers are from: numbers of layers. */
  layers: LayerOrigins;
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
