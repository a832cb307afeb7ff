import { ClipError, isClipError } from '../errors.js';
import { FORMAT_MAJOR } from '../format/limits.js';
import type { Descriptor } from '../oci/descriptor.js';
import {
  encodeLayerAnchor,
  FORMAT,
  parseSectionArtifact,
  SECTION_ARTIFACT,
  SPACING,
} from '../oci/index-artifact.js';
import { asObject, own, parseJsonObject } from '../oci/json.js';
import { digestOf, isDigest } from '../reference/digest.js';
import type { ImageRef } from '../reference/image-ref.js';
import { parseImage } from '../reference/parse-image.js';
import type { ImageSource, ReadOptions } from '../source/source.js';
import { verifiedBlob } from './verified-blob.js';

/** Layers smaller than this are scanned sooner than asked for, bytes. */
const WORTH_ASKING = 256 << 10;
const MAX_CANDIDATES = 2;
/** Bytes of a section that memory is taken for; that of a layer of 50 GB with a million entries has half of it. */
const MAX_PUSHED = 256 << 20;

export interface RegistrySectionOptions extends ReadOptions {
  spacing: number;
  /** Opens another repository of the same registry. */
  open: (image: ImageRef) => Promise<ImageSource>;
  /** Bytes of the image's manifest. */
  manifest: Uint8Array;
}

/** Sections of layers that somebody pushed; `close` ends what was opened for them. */
export interface RegistrySections {
  /** The section of a layer, its blob checked against its digest; undefined where there is none that can be used. */
  get(layer: Descriptor): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

/**
 * Looks for layers that were indexed with another image: in the image's own repository, and in that of its base image, if the image
 * names one by digest (image-spec, annotations.md, `org.opencontainers.image.base.*`) and it is of the same registry: nothing that an
 * image says makes clip speak to another host. One request for each layer, two where the registry has no referrers API.
 */
export function openRegistrySections(source: ImageSource, options: RegistrySectionOptions): RegistrySections {
  const { observer, signal, spacing } = options;
  const read: ReadOptions = { ...(observer && { observer }), ...(signal && { signal }) };
  let base: Promise<ImageSource | undefined> | undefined;

  async function fromRepository(from: ImageSource, layer: Descriptor): Promise<Uint8Array | undefined> {
    const anchor = digestOf(encodeLayerAnchor(layer.digest));
    const referrers = (await from.referrers?.(anchor, SECTION_ARTIFACT, read)) ?? [];
    const candidates = referrers
      .filter(({ annotations = {} }) => {
        const major = Number(annotations[FORMAT]?.split('.')[0]);
        return major === FORMAT_MAJOR && annotations[SPACING] === String(spacing);
      })
      .sort((one, other) => (one.digest < other.digest ? -1 : 1));
    for (const { digest } of candidates.slice(0, MAX_CANDIDATES)) {
      const section = await fetchSection(from, digest, layer).catch(ignored);
      if (section) return section;
    }
    return undefined;
  }

  async function fetchSection(from: ImageSource, artifact: string, layer: Descriptor): Promise<Uint8Array> {
    const blob = parseSectionArtifact((await from.manifest(artifact, read)).bytes, layer.digest);
    // Beyond the layer's own size it is quicker to scan that.
    if (blob.size > Math.min(layer.size, MAX_PUSHED))
      throw new ClipError('LIMIT', `a section of ${blob.size} bytes`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of verifiedBlob(from, blob, read)) chunks.push(Uint8Array.from(chunk));
    return Buffer.concat(chunks);
  }

  /** A registry that fails here fails no build: the layer is scanned. */
  function ignored(error: unknown): undefined {
    signal?.throwIfAborted();
    if (!isClipError(error)) throw error;
    observer?.emit({ type: 'debug', message: `a section in the registry is not used: ${error.message}` });
    return undefined;
  }

  return {
    async get(layer) {
      if (layer.size < WORTH_ASKING) return undefined;
      const own = await fromRepository(source, layer).catch(ignored);
      if (own) return own;
      base ??= openBase(source, options).catch(ignored);
      const other = await base;
      return other && (await fromRepository(other, layer).catch(ignored));
    },
    async close() {
      await (await base)?.close();
    },
  };
}

const BASE_DIGEST = 'org.opencontainers.image.base.digest';
const BASE_NAME = 'org.opencontainers.image.base.name';

async function openBase(
  source: ImageSource,
  { manifest, open }: RegistrySectionOptions,
): Promise<ImageSource | undefined> {
  const annotations = asObject(
    own(parseJsonObject(manifest, 'the manifest'), 'annotations') ?? {},
    'annotations',
  );
  const digest = own(annotations, BASE_DIGEST);
  const name = own(annotations, BASE_NAME);
  if (typeof digest !== 'string' || !isDigest(digest) || typeof name !== 'string') return undefined;
  const image = parseImage(source.name);
  const base = parseImage(`docker://${name}`);
  if (image.transport !== 'docker' || base.transport !== 'docker') return undefined;
  const { registry, repository } = image.reference;
  if (base.reference.registry !== registry || base.reference.repository === repository) return undefined;
  return await open(base);
}
