import { ClipError } from '../errors.js';
import type { ByteSource } from '../format/image-index.js';
import { readIndexParts, verifyIndexBlocks } from '../format/index-parts.js';
import { openIndex } from '../format/open-index.js';
import { inParallel } from '../in-parallel.js';
import type { Descriptor } from '../oci/descriptor.js';
import {
  EMPTY_CONFIG,
  encodeIndexArtifact,
  FORMAT,
  IDENTITY,
  INDEX_ARTIFACT,
  INDEX_HEAD,
  INDEX_SECTION,
  LAYER,
  SPACING,
} from '../oci/index-artifact.js';
import { digestOf } from '../reference/digest.js';
import type { RegistryReference } from '../reference/image-ref.js';
import { parseImage } from '../reference/parse-image.js';
import { printImage } from '../reference/print-image.js';
import { openPublisher, type Publisher } from '../source/registry/publish.js';
import { openFileSource } from './byte-source.js';
import { checkClaims } from './check-claims.js';
import { findOrBuildLocalIndex, type LocalIndex } from './find-index.js';
import { isIndexTarget } from './index-target.js';
import { lazySource } from './lazy-source.js';
import type { OpenOptions } from './options.js';
import { publishSections } from './publish-sections.js';
import { sourceOptions } from './source-options.js';

/** What was pushed, in the fields of `clip push --json` (docs/cli.md). Sizes are bytes. */
export interface PushedIndex {
  /** The artifact: `registry/repository@sha256:…`. */
  reference: string;
  /** Digest of the image's manifest, which the artifact refers to. */
  subject: string;
  /** The index's own digest. */
  identity: string;
  blobs: { digest: string; size: number; uploaded: boolean }[];
  /** Bytes that were sent, and those of all blobs. */
  uploadedBytes: number;
  size: number;
}

/** Blobs that are sent at the same time. */
const PARALLEL = 4;

/**
 * Stores an index beside its image: the manifest, which must be in the repository already, gets an artifact that refers to it. `target` is an
 * index file, or an image whose local index is pushed (built, where there is none). Without `image` the index's own word says where.
 * Throws USAGE, OFFLINE, NOT_FOUND, CORRUPT_INDEX, DENIED, UNAUTHORIZED, REGISTRY, NETWORK.
 */
export async function pushIndex(
  target: string,
  options: OpenOptions & { image?: string },
): Promise<PushedIndex> {
  if (isIndexTarget(target)) return await pushFile(target, target, options);
  const { path, discard } = await indexOfImage(target, options);
  try {
    return await pushFile(path, target, { ...options, image: options.image ?? target });
  } finally {
    await discard?.();
  }
}

async function pushFile(
  path: string,
  target: string,
  options: OpenOptions & { image?: string },
): Promise<PushedIndex> {
  const file = openFileSource(path);
  try {
    const index = await openIndex(file);
    if (options.index.startsWith('sha256:') && index.identity !== options.index) {
      throw new ClipError('DIGEST_MISMATCH', `the index is ${index.identity}, not ${options.index}`);
    }
    const { manifest, manifestDigest, manifestMediaType: mediaType } = await index.describe();
    await checkClaims(index, manifestDigest);
    await verifyIndexBlocks(file);
    const reference = destination(options.image ?? index.sourceHint, target);
    if (options.offline) {
      throw new ClipError('OFFLINE', 'pushing an index needs the network, and --offline forbids it');
    }
    const publisher = openPublisher(reference, { connection: options.connection });
    try {
      const { registry, repository } = reference;
      const subject = { mediaType, digest: manifestDigest, size: manifest.length };
      if (!(await publisher.hasManifest(manifestDigest, readOptions(options)))) {
        throw new ClipError(
          'NOT_FOUND',
          `${registry}/${repository} does not hold the image ${manifestDigest}`,
          {
            hint: 'name the repository that the index was made from, or push the image there first',
          },
        );
      }
      const { spacing } = await index.describe();
      return await push(publisher, { file, subject, spacing, name: `${registry}/${repository}`, options });
    } finally {
      await publisher.close();
    }
  } finally {
    await file.close();
  }
}

async function indexOfImage(target: string, options: OpenOptions): Promise<LocalIndex> {
  const image = parseImage(target);
  const source = lazySource(async () => {
    const { openSource } = await import('../source/open.js');
    return await openSource(image, sourceOptions(options));
  });
  try {
    return await findOrBuildLocalIndex(image, source.open, options);
  } finally {
    await source.close();
  }
}

function destination(image: string | undefined, target: string): RegistryReference {
  const parsed = image === undefined ? undefined : parseImage(image);
  if (parsed?.transport === 'docker') return parsed.reference;
  const what = parsed
    ? `${printImage(parsed)} is in no registry`
    : `${target} does not say where its image is`;
  throw new ClipError('USAGE', what, { hint: 'name the image in its registry: clip push INDEX IMAGE' });
}

function readOptions({ observer, signal }: OpenOptions) {
  return { observer, ...(signal && { signal }) };
}

async function push(
  publisher: Publisher,
  what: {
    file: ByteSource;
    subject: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>;
    spacing: number;
    name: string;
    options: OpenOptions;
  },
): Promise<PushedIndex> {
  const { file, subject, spacing, options } = what;
  const read = readOptions(options);
  const { head, parts, identity, format } = await readIndexParts(file);
  const jobs = [
    { mediaType: INDEX_HEAD, bytes: async () => head, annotations: undefined },
    ...parts.map(({ offset, length, layer }) => ({
      mediaType: INDEX_SECTION,
      bytes: () => file.read(offset, length),
      annotations: layer === undefined ? undefined : { [LAYER]: layer },
    })),
  ];
  const total = file.size;
  const blobs: Descriptor[] = [];
  const uploaded: boolean[] = [];
  let done = 0;
  await publisher.upload({ digest: digestOf(EMPTY_CONFIG) }, EMPTY_CONFIG, read);
  await inParallel(jobs, PARALLEL, async ({ mediaType, bytes, annotations }, i) => {
    const body = await bytes();
    const descriptor = { mediaType, digest: digestOf(body), size: body.length };
    blobs[i] = annotations === undefined ? descriptor : { ...descriptor, annotations };
    uploaded[i] = await publisher.upload(descriptor, body, read);
    done += body.length;
    options.observer.emit({
      type: 'progress',
      task: 'pushing',
      done: Math.min(done, total),
      total,
      unit: 'bytes',
    });
  });
  const facts = { identity, format, spacing };
  const manifest = encodeIndexArtifact(subject, facts, blobs);
  const artifact = await publisher.publish(
    manifest,
    {
      subject: subject.digest,
      artifactType: INDEX_ARTIFACT,
      annotations: { [FORMAT]: format, [IDENTITY]: identity, [SPACING]: String(spacing) },
    },
    read,
  );
  await publishSections(publisher, blobs.slice(1), { format, spacing, observer: options.observer, read });
  options.observer.emit({ type: 'progress', task: 'pushing', done: total, total, unit: 'bytes' });
  return {
    reference: `${what.name}@${artifact}`,
    subject: subject.digest,
    identity,
    blobs: blobs.map(({ digest, size }, i) => ({ digest, size, uploaded: uploaded[i]! })),
    uploadedBytes: blobs.reduce((sum, { size }, i) => sum + (uploaded[i] ? size : 0), 0),
    size: blobs.reduce((sum, { size }) => sum + size, 0),
  };
}
