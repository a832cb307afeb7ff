import { ClipError } from '../errors.js';
import { HEADER_BYTES, replaceHint } from '../format/file-head.js';
import { verifyIndexBlocks } from '../format/index-parts.js';
import { MAX_HINT } from '../format/limits.js';
import { openIndex } from '../format/open-index.js';
import type { ImageRef } from '../reference/image-ref.js';
import { parseImage } from '../reference/parse-image.js';
import { printImage } from '../reference/print-image.js';
import { openSource } from '../source/open.js';
import { locateManifest } from '../source/resolve-image.js';
import type { ImageSource } from '../source/source.js';
import { openFileSource } from './byte-source.js';
import { checkClaims } from './check-claims.js';
import { findCandidates, isTheirs, readArtifact } from './discover-index.js';
import type { FoundArtifact } from './found-store.js';
import type { OpenOptions } from './options.js';
import { sourceOptions } from './source-options.js';
import { openIndexStore } from './store.js';
import { boundIndexes } from './stored-indexes.js';
import { verifiedBlob } from './verified-blob.js';
import { writeFileWhole } from './write-file.js';

/** What was pulled, in the fields of `clip pull --json` (docs/cli.md). */
export interface PulledIndex {
  path: string;
  /** The artifact: `registry/repository@sha256:…`. */
  reference: string;
  /** Digest of the image's manifest. */
  subject: string;
  identity: string;
  /** Bytes. */
  size: number;
}

/**
 * Fetches the index that lies beside an image into a file, by default into the store, where every command finds it. Each blob is checked
 * against its digest, each block of the index against its own, and its claims against the image's manifest; `options.index` can pin
 * one. Its hint is the name that was typed. Throws INDEX_NOT_FOUND, CORRUPT_INDEX, DIGEST_MISMATCH, and what the source throws.
 */
export async function pullIndex(
  image: string,
  options: OpenOptions & { output?: string },
): Promise<PulledIndex> {
  const parsed = parseImage(image);
  if (parsed.transport !== 'docker') {
    throw new ClipError('USAGE', `${printImage(parsed)} is in no registry`, {
      hint: 'indexes are pulled from registries; build one with clip index',
    });
  }
  const source = await openSource(parsed, sourceOptions(options));
  try {
    return await pull(source, parsed, options);
  } finally {
    await source.close();
  }
}

async function pull(
  source: ImageSource,
  image: Extract<ImageRef, { transport: 'docker' }>,
  options: OpenOptions & { output?: string },
): Promise<PulledIndex> {
  const { observer, signal, platform } = options;
  const read = { observer, ...(signal && { signal }) };
  const manifestDigest = await locateManifest(source, { ...read, platform });
  const where = {
    ...read,
    manifestDigest,
    identity: options.index.startsWith('sha256:') ? options.index : undefined,
    source: async () => source,
  };
  let problem: unknown;
  for (const candidate of await findCandidates(where)) {
    try {
      const found = await readArtifact(candidate, where);
      return await fetchInto(source, { image, found, manifestDigest, options });
    } catch (error) {
      signal?.throwIfAborted();
      // Another pusher's may hold.
      if (!isTheirs(error)) throw error;
      problem ??= error;
    }
  }
  if (problem) throw problem;
  const which = where.identity === undefined ? 'no index' : `no index ${where.identity}`;
  throw new ClipError('INDEX_NOT_FOUND', `there is ${which} of ${printImage(image)} in its registry`, {
    hint: 'build one with `clip index`, and share it with `clip push`',
  });
}

async function fetchInto(
  source: ImageSource,
  what: {
    image: Extract<ImageRef, { transport: 'docker' }>;
    found: FoundArtifact;
    manifestDigest: string;
    options: OpenOptions & { output?: string };
  },
): Promise<PulledIndex> {
  const { image, found, manifestDigest, options } = what;
  const { signal, cacheDir } = options;
  const { identity, spacing } = found.facts;
  const path = options.output ?? openIndexStore(cacheDir).indexPath(manifestDigest, spacing);
  let size = 0;
  await writeFileWhole(path, blobsOf(source, found, { hint: printImage(image), options }), {
    signal,
    replace: options.output === undefined,
    async check(temporary) {
      const file = openFileSource(temporary);
      try {
        size = file.size;
        const index = await openIndex(file);
        if (index.identity !== identity) {
          throw new ClipError('CORRUPT_INDEX', `it is ${index.identity} and claims to be ${identity}`);
        }
        const { spacing: actual } = await index.describe();
        if (actual !== spacing)
          throw new ClipError('CORRUPT_INDEX', `its spacing is ${actual}, not ${spacing}`);
        await checkClaims(index, manifestDigest);
        await verifyIndexBlocks(file);
      } finally {
        await file.close();
      }
    },
  });
  if (options.output === undefined)
    boundIndexes(cacheDir, { quota: options.diskCache, bytes: size, observer: options.observer });
  const { registry, repository } = image.reference;
  const reference = `${registry}/${repository}@${found.artifact}`;
  return { path, reference, subject: manifestDigest, identity, size };
}

/** What the beginning of a file has at least, where its hint is as long as can be. */
const LONGEST_HEADER = HEADER_BYTES + MAX_HINT;

/** The bytes of the blobs, each checked against its digest by its end; the header gets the hint. */
async function* blobsOf(
  source: ImageSource,
  found: FoundArtifact,
  { hint, options }: { hint: string; options: OpenOptions },
): AsyncGenerator<Uint8Array> {
  const { observer, signal } = options;
  const total = found.blobs.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  let start: Uint8Array | undefined = new Uint8Array(0);
  for (const blob of found.blobs) {
    for await (const chunk of verifiedBlob(source, blob, { observer, ...(signal && { signal }) })) {
      done += chunk.length;
      observer.emit({ type: 'progress', task: 'pulling', done, total, unit: 'bytes' });
      if (start === undefined) {
        yield chunk;
        continue;
      }
      start = Buffer.concat([start, chunk]);
      if (start.length < LONGEST_HEADER && done < blob.size) continue;
      if (start.length < HEADER_BYTES) throw new ClipError('CORRUPT_INDEX', 'its head is too short');
      yield replaceHint(start, hint);
      start = undefined;
    }
  }
}
