/**
 * How an index lies in a registry (docs/format.md, "In a registry"): an OCI artifact that refers to the image's manifest, with one
 * blob for the image and one for each layer. The manifests are a function of the index alone: two pushers make the same.
 */

import type { Descriptor } from './descriptor.js';
import { asArray, asObject, asText, corrupt, own, parseJsonObject } from './json.js';
import { OCI_EMPTY, OCI_MANIFEST } from './media-types.js';
import { parseDescriptor } from './parse-descriptor.js';

/** Type of the artifact that holds an index; its subject is the manifest of the image. */
export const INDEX_ARTIFACT = 'application/vnd.clip.index.v1';
/** Type of the artifact that holds one layer's section; its subject is the layer's anchor. */
export const SECTION_ARTIFACT = 'application/vnd.clip.section.v1';
/** Type of a layer's anchor: what stands for a layer where only a manifest can be referred to. */
export const LAYER_ANCHOR = 'application/vnd.clip.layer.v1';

/** Blob with the beginning of the index file: header, directory, image section. */
export const INDEX_HEAD = 'application/vnd.clip.index.head.v1';
/** Blob with one further section of the file, as a rule a layer's. */
export const INDEX_SECTION = 'application/vnd.clip.index.section.v1';

/** Annotations of the artifact, which registries copy into the list of referrers. */
export const IDENTITY = 'vnd.clip.index.identity';
export const FORMAT = 'vnd.clip.index.format';
export const SPACING = 'vnd.clip.index.spacing';
/** Annotation of a section's blob and of a layer's anchor: the layer's digest. */
export const LAYER = 'vnd.clip.layer.digest';

/** The two bytes that stand in for a config (image-spec, manifest.md, "Guidance for an Empty Descriptor"). */
export const EMPTY_CONFIG: Uint8Array = Buffer.from('{}');
const EMPTY: Descriptor = {
  mediaType: OCI_EMPTY,
  digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  size: 2,
};

const MAX_BLOBS = 4096;

/** What an index says of itself, in the list of referrers and in its own manifest. */
export interface IndexFacts {
  /** `sha256:<hex>`: the index's own digest. */
  identity: string;
  /** `major.minor` */
  format: string;
  /** Bytes. */
  spacing: number;
}

export interface IndexArtifact {
  subject: string;
  facts: IndexFacts;
  /** The index file is these blobs, one after the other; the first is the head. */
  blobs: readonly Descriptor[];
}

/** The artifact's manifest. */
export function encodeIndexArtifact(
  subject: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>,
  facts: IndexFacts,
  blobs: readonly Descriptor[],
): Uint8Array {
  const annotations = {
    [FORMAT]: facts.format,
    [IDENTITY]: facts.identity,
    [SPACING]: String(facts.spacing),
  };
  return encodeArtifact({
    artifactType: INDEX_ARTIFACT,
    layers: blobs,
    subject: plain(subject),
    annotations,
  });
}

/** Parses what `encodeIndexArtifact` made. Throws CORRUPT_IMAGE, LIMIT. */
export function parseIndexArtifact(bytes: Uint8Array): IndexArtifact {
  const what = 'the artifact of an index';
  const { document, blobs } = parseArtifact(bytes, INDEX_ARTIFACT, what);
  const facts = indexFacts(annotationsOf(document, what));
  if (facts === undefined) throw corrupt(what, 'does not say which index it holds');
  if (blobs[0]?.mediaType !== INDEX_HEAD || blobs.slice(1).some((blob) => blob.mediaType !== INDEX_SECTION))
    throw corrupt(what, 'does not hold the blobs of an index');
  const subject = parseDescriptor(own(document, 'subject'), `${what} .subject`).digest;
  return { subject, facts, blobs };
}

/** The facts that a descriptor's annotations tell; undefined where one is missing or makes no sense. */
export function indexFacts(annotations: Descriptor['annotations']): IndexFacts | undefined {
  const { [IDENTITY]: identity = '', [FORMAT]: format = '', [SPACING]: spacing = '' } = annotations ?? {};
  if (!/^sha256:[0-9a-f]{64}$/.test(identity) || !/^[0-9]{1,4}\.[0-9]{1,4}$/.test(format)) return undefined;
  return /^[0-9]{1,10}$/.test(spacing) ? { identity, format, spacing: Number(spacing) } : undefined;
}

/**
 * A manifest that is a function of a layer's digest alone. A layer is no manifest, so nothing can refer to it; whoever knows the
 * layer knows its anchor's digest, and asks for what refers to that.
 */
export function encodeLayerAnchor(layer: string): Uint8Array {
  return encodeArtifact({ artifactType: LAYER_ANCHOR, layers: [EMPTY], annotations: { [LAYER]: layer } });
}

/** The manifest of one layer's section; `anchor` is the descriptor of the layer's anchor. */
export function encodeSectionArtifact(
  anchor: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>,
  facts: Omit<IndexFacts, 'identity'>,
  section: Descriptor,
): Uint8Array {
  const annotations = { [FORMAT]: facts.format, [SPACING]: String(facts.spacing) };
  return encodeArtifact({
    artifactType: SECTION_ARTIFACT,
    layers: [section],
    subject: plain(anchor),
    annotations,
  });
}

/** The blob with the section of `layer`. Throws CORRUPT_IMAGE, LIMIT. */
export function parseSectionArtifact(bytes: Uint8Array, layer: string): Descriptor {
  const what = 'the artifact of a layer';
  const { blobs } = parseArtifact(bytes, SECTION_ARTIFACT, what);
  const [blob] = blobs;
  if (blob?.mediaType !== INDEX_SECTION || blobs.length !== 1 || blob.annotations?.[LAYER] !== layer)
    throw corrupt(what, 'does not hold its section');
  return blob;
}

function encodeArtifact(parts: {
  artifactType: string;
  layers: readonly Descriptor[];
  subject?: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>;
  annotations: Record<string, string>;
}): Uint8Array {
  const { artifactType, layers, subject, annotations } = parts;
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType,
    config: EMPTY,
    layers,
    ...(subject && { subject }),
    annotations,
  };
  return Buffer.from(JSON.stringify(document));
}

/** A subject's fields, always in one order. */
function plain({ mediaType, digest, size }: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>) {
  return { mediaType, digest, size };
}

function parseArtifact(bytes: Uint8Array, artifactType: string, what: string) {
  const document = parseJsonObject(bytes, what);
  if (asText(own(document, 'artifactType'), `${what} .artifactType`) !== artifactType)
    throw corrupt(what, 'is of another type');
  const layers = asArray(own(document, 'layers'), `${what} .layers`, MAX_BLOBS);
  const blobs = layers.map((layer, i) => parseDescriptor(layer, `${what} .layers[${i}]`));
  // Where a blob is, its own repository says, and nobody else.
  return { document, blobs: blobs.map(({ urls: _, ...blob }) => blob) };
}

function annotationsOf(document: ReturnType<typeof parseJsonObject>, what: string): Record<string, string> {
  const annotations = asObject(own(document, 'annotations') ?? {}, `${what} .annotations`);
  return Object.fromEntries(
    Object.entries(annotations).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
