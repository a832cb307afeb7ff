import { ClipError, EXIT, isClipError } from '../errors.js';
import type { ImageIndex } from '../format/image-index.js';
import { readIndexParts } from '../format/index-parts.js';
import { FORMAT_MAJOR } from '../format/limits.js';
import { openIndex } from '../format/open-index.js';
import { silentObserver } from '../observer.js';
import { INDEX_ARTIFACT, type IndexFacts, indexFacts, parseIndexArtifact } from '../oci/index-artifact.js';
import type { ImageSource, ReadOptions } from '../source/source.js';
import { type BlobParts, openBlobParts } from './blob-parts.js';
import { checkClaims } from './check-claims.js';
import { type FoundArtifact, type FoundStore, MAX_INDEX, sizeOf } from './found-store.js';
import { guardIndex } from './guard-index.js';

export interface DiscoverOptions extends ReadOptions {
  /** Digest of the manifest of the image, as the registry names it. */
  manifestDigest: string;
  /** Only the index with this identity. */
  identity: string | undefined;
  /** Registry and repository: what is found in one says nothing of another. */
  repository: string;
  store: FoundStore;
  source: () => Promise<ImageSource>;
  offline: boolean;
}

export interface DiscoveredIndex {
  index: ImageIndex;
  /** Digest of the artifact that holds it. */
  artifact: string;
}

/** Indexes of one image that are looked at before clip gives up: anybody who may push can add more. */
const MAX_CANDIDATES = 4;

/**
 * The index of an image that lies beside it in the registry: of several the newest format, then the smallest digest. It is opened and
 * its claims are held against the image's manifest; one that lies is passed over with a warning. Undefined where there is none, which is
 * remembered for a while. Blobs are read from `source` alone. Throws what the source throws.
 */
export async function discoverIndex(options: DiscoverOptions): Promise<DiscoveredIndex | undefined> {
  const { store, repository, manifestDigest, identity } = options;
  const known = await store.get(repository, manifestDigest);
  if (known === 'none' && identity === undefined) return undefined;
  const fits =
    known !== undefined && known !== 'none' && (identity ?? known.facts.identity) === known.facts.identity;
  if (fits) {
    const opened = await openFound(known, options).catch((error: unknown) => skip(error, known, options));
    if (opened) return opened;
  }
  if (options.offline) return undefined;
  for (const candidate of await findCandidates(options)) {
    try {
      const found = await readArtifact(candidate, options);
      const opened = await openFound(found, options);
      await store.put(repository, manifestDigest, found);
      return opened;
    } catch (error) {
      skip(error, candidate, options);
    }
  }
  // A pin that fits nothing does not say that there is nothing.
  if (identity === undefined) await store.put(repository, manifestDigest, 'none');
  return undefined;
}

export interface Candidate {
  artifact: string;
  facts: IndexFacts;
}

/** The indexes beside an image that this version can read, the one to take first. */
export async function findCandidates(
  options: Pick<DiscoverOptions, 'manifestDigest' | 'identity' | 'source' | keyof ReadOptions>,
): Promise<Candidate[]> {
  const source = await options.source();
  const { manifestDigest, identity } = options;
  const referrers = (await source.referrers?.(manifestDigest, INDEX_ARTIFACT, options)) ?? [];
  const candidates = new Map<string, Candidate>();
  for (const { digest, annotations } of referrers) {
    const facts = indexFacts(annotations);
    if (!facts || majorOf(facts) !== FORMAT_MAJOR || (identity ?? facts.identity) !== facts.identity)
      continue;
    candidates.set(digest, { artifact: digest, facts });
  }
  return [...candidates.values()].sort(byPreference).slice(0, MAX_CANDIDATES);
}

function byPreference(one: Candidate, other: Candidate): number {
  const newer = versionOf(other.facts) - versionOf(one.facts);
  return newer || (one.artifact < other.artifact ? -1 : 1);
}

/** Of the same major version; a later minor version can be read too. */
function versionOf({ format }: IndexFacts): number {
  return Number(format.split('.')[1]);
}

function majorOf({ format }: IndexFacts): number {
  return Number(format.split('.')[0]);
}

/** Throws CORRUPT_INDEX where the artifact is not what the list of referrers says of it. */
export async function readArtifact(
  { artifact, facts }: Candidate,
  options: Pick<DiscoverOptions, 'manifestDigest' | 'source' | keyof ReadOptions>,
): Promise<FoundArtifact> {
  const source = await options.source();
  const parsed = parseIndexArtifact((await source.manifest(artifact, options)).bytes);
  if (parsed.subject !== options.manifestDigest) {
    throw new ClipError('CORRUPT_INDEX', `it refers to ${parsed.subject} and not to the image`);
  }
  // The list of referrers is the registry's word; the artifact's own manifest has a digest.
  if (parsed.facts.identity !== facts.identity || parsed.facts.format !== facts.format) {
    throw new ClipError('CORRUPT_INDEX', 'it is another one than the list of referrers says');
  }
  if (sizeOf(parsed.blobs) > MAX_INDEX) {
    throw new ClipError('LIMIT', `it claims to have more than ${MAX_INDEX} bytes`);
  }
  const blobs = parsed.blobs.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
  return { artifact, facts: parsed.facts, blobs };
}

async function openFound(found: FoundArtifact, options: DiscoverOptions): Promise<DiscoveredIndex> {
  const { store, repository, manifestDigest, source, observer, signal } = options;
  const parts: BlobParts = openBlobParts({
    blobs: found.blobs,
    store,
    source,
    ...(observer && { observer }),
    ...(signal && { signal }),
  });
  try {
    const index = await openIndex(parts);
    if (index.identity !== found.facts.identity) {
      throw new ClipError(
        'CORRUPT_INDEX',
        `it is ${index.identity} and claims to be ${found.facts.identity}`,
      );
    }
    await checkBlobs(parts, found);
    await checkClaims(index, manifestDigest);
    // What does not hold later on is forgotten, so that the next command builds an index instead.
    const guarded = guardIndex(index, {
      async onCorrupt() {
        await parts.drop();
        await store.put(repository, manifestDigest, 'none');
      },
      next: 'this index is passed over now, and one is built',
    });
    return { index: guarded, artifact: found.artifact };
  } catch (error) {
    await parts.close();
    if (isTheirs(error)) await parts.drop();
    throw error;
  }
}

/** The blobs must be cut where the file's sections begin; reads no more than the first. */
async function checkBlobs(file: BlobParts, { blobs }: FoundArtifact): Promise<void> {
  const { parts } = await readIndexParts(file);
  const sizes = blobs.slice(1).map(({ size }) => size);
  if (parts.length === sizes.length && parts.every(({ length }, i) => length === sizes[i])) return;
  throw new ClipError('CORRUPT_INDEX', 'its blobs are not the sections that its directory names');
}

/** Whether a failure is the fault of what somebody pushed, and not of the connection. */
export function isTheirs(error: unknown): boolean {
  if (!isClipError(error)) return false;
  return error.exitStatus === EXIT.integrity || error.code === 'NOT_FOUND' || error.code === 'LIMIT';
}

/** One index that cannot be used is told once and is no reason to fail; what concerns the connection is. */
function skip(
  error: unknown,
  { artifact }: { artifact: string },
  { observer, repository, signal }: DiscoverOptions,
) {
  signal?.throwIfAborted();
  if (!isClipError(error) || !isTheirs(error)) throw error;
  (observer ?? silentObserver).emit({
    type: 'warning',
    code: error.code,
    message: `the index ${repository}@${artifact} is not used: ${error.message}`,
    hint: 'an index is built from the image instead; --index build or local never asks for one',
  });
  return undefined;
}
