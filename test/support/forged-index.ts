/** Indexes as somebody with bad intentions would push them: every digest in them holds. */
import { readFileSync } from 'node:fs';
import { bufferSource } from '../../src/format/buffer-source.js';
import { encodeImage, type ImageParts } from '../../src/format/image-encoder.js';
import { readIndexParts } from '../../src/format/index-parts.js';
import { openLayerSection } from '../../src/format/layer-section.js';
import { openIndex } from '../../src/format/open-index.js';
import type { Descriptor } from '../../src/oci/descriptor.js';
import {
  EMPTY_CONFIG,
  encodeIndexArtifact,
  INDEX_HEAD,
  INDEX_SECTION,
  type IndexFacts,
  LAYER,
} from '../../src/oci/index-artifact.js';
import { OCI_MANIFEST } from '../../src/oci/media-types.js';
import type { Entry } from '../../src/tree/entry.js';
import { allOf } from './all-of.js';
import { merged } from './merged.js';
import type { TestRegistry } from './registry.js';

/** What an index file is made of, to be made again with lies. */
export async function partsOf(path: string): Promise<ImageParts & { trees: Entry[][] }> {
  const index = await openIndex(bufferSource(readFileSync(path)));
  const { manifest, manifestMediaType, config, platform, spacing } = await index.describe();
  const layers: ImageParts['layers'][number][] = [];
  const trees: Entry[][] = [];
  for (const [i, { mediaType }] of index.layers.entries()) {
    const section = await index.layerSection(i);
    layers.push({ section, mediaType });
    trees.push(await allOf((await openLayerSection(bufferSource(section))).entries()));
  }
  const nodes = merged(trees);
  return {
    layers,
    trees,
    nodes,
    manifest,
    manifestMediaType,
    config,
    platform,
    spacing,
    sourceHint: undefined,
  };
}

export interface Lies {
  facts?: Partial<IndexFacts>;
  /** Subject in the artifact's manifest. */
  claimed?: string;
  blobs?: (blobs: Descriptor[]) => Descriptor[];
  /** The head goes as it is in the file, its hint included. */
  keepHint?: boolean;
}

/** Stores an index file as an artifact of `subject`, past all checks of `clip push`. Returns the artifact's digest. */
export async function plant(
  registry: TestRegistry,
  { subject, file }: { subject: string; file: Uint8Array },
  lies: Lies = {},
): Promise<string> {
  const { head, parts, identity, format } = await readIndexParts(bufferSource(file));
  const first = parts[0]?.offset ?? file.length;
  const pieces = [lies.keepHint ? file.subarray(0, first) : head];
  for (const { offset, length } of parts) pieces.push(file.subarray(offset, offset + length));
  const blobs = pieces.map((bytes, i): Descriptor => {
    const blob = {
      mediaType: i === 0 ? INDEX_HEAD : INDEX_SECTION,
      digest: registry.addBlob(bytes),
      size: bytes.length,
    };
    const layer = parts[i - 1]?.layer;
    return layer === undefined ? blob : { ...blob, annotations: { [LAYER]: layer } };
  });
  registry.addBlob(EMPTY_CONFIG);
  const spacing = 1 << 20;
  const manifest = encodeIndexArtifact(
    { mediaType: OCI_MANIFEST, digest: lies.claimed ?? subject, size: 1 },
    { identity, format, spacing, ...lies.facts },
    lies.blobs?.(blobs) ?? blobs,
  );
  return registry.addManifest('demo/app', undefined, manifest);
}

export function assemble(parts: ImageParts): Buffer {
  return Buffer.concat(encodeImage(parts));
}
