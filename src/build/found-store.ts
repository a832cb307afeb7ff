import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readWhole } from '../cache/read-whole.js';
import { sha256 } from '../format/digest.js';
import { FORMAT, IDENTITY, type IndexFacts, indexFacts, SPACING } from '../oci/index-artifact.js';
import { MAX_DOCUMENT } from '../oci/json.js';
import { isDigest } from '../reference/digest.js';
import { indexFolder } from './store.js';
import { OWN_PLACE, writeFileWhole } from './write-file.js';

/** An index in a registry, as the list of referrers and the artifact's manifest tell it. */
export interface FoundArtifact {
  /** Digest of the artifact's manifest. */
  artifact: string;
  facts: IndexFacts;
  /** The index file is these blobs, one after the other. */
  blobs: readonly { mediaType: string; digest: string; size: number }[];
}

/**
 * What was learnt of indexes in registries, `<cache-dir>/index/found/`, apart from what was built here:
 *
 *   <sha256 of repository and manifest digest>     the index that was chosen for an image, or that there was none
 *   parts/<digest of blob>-<number>                a piece of a blob, with its SHA-256 behind it
 *
 * Nothing here is asked for under `--index local` or `build`.
 */
export interface FoundStore {
  /** `none`: there was none when it was asked, less than five minutes ago; undefined: not known. */
  get(repository: string, manifestDigest: string): Promise<FoundArtifact | 'none' | undefined>;
  put(repository: string, manifestDigest: string, found: FoundArtifact | 'none'): Promise<void>;
  /** A piece, if it is here and whole. */
  part(digest: string, number: number): Promise<Uint8Array | undefined>;
  putPart(digest: string, number: number, bytes: Uint8Array): Promise<void>;
  dropPart(digest: string, number: number): Promise<void>;
}

/** Milliseconds for which "there is none" is believed. */
export const NONE_FOR = 5 * 60_000;

/** Bytes of all blobs of one index: one of a terabyte of layers has some five. */
export const MAX_INDEX = 16 * 1024 ** 3;

const DIGEST_BYTES = 32;
/** A blob up to this size is fetched and kept whole, and checked against its digest (blob-parts.ts). */
export const WHOLE = 1 << 20;
const MAX_PART = WHOLE + DIGEST_BYTES;
/** A record lists the blobs of an artifact, whose manifest may have as many. */
const MAX_RECORD = MAX_DOCUMENT;

/** Nothing is an error: a store that cannot be written to is one that forgets. */
export function openFoundStore(
  cacheDir: string,
  onWritten: (bytes: number) => Promise<void> | void = () => {},
): FoundStore {
  const root = join(indexFolder(cacheDir), 'found');
  const recordPath = (repository: string, digest: string) =>
    join(root, createHash('sha256').update(`${repository}\n${digest}`).digest('hex'));
  const partPath = (digest: string, number: number) =>
    join(root, 'parts', `${digest.replace(':', '-')}-${number}`);
  return {
    async get(repository, digest) {
      const text = readWhole(recordPath(repository, digest), MAX_RECORD)?.toString('utf8') ?? '';
      const record = parseRecord(text);
      if (!record || !('none' in record)) return record;
      const age = Date.now() - record.none;
      // A time to come is none of ours, or of a clock that was wrong.
      return age >= 0 && age < NONE_FOR ? 'none' : undefined;
    },
    async put(repository, digest, found) {
      const record = found === 'none' ? { none: Date.now() } : found;
      const text = Buffer.from(`${JSON.stringify(record)}\n`);
      await writeFileWhole(recordPath(repository, digest), [text], OWN_PLACE).catch(() => {});
    },
    part: async (digest, number) => partIn(partPath(digest, number)),
    async putPart(digest, number, bytes) {
      await writeFileWhole(partPath(digest, number), [bytes, sha256(bytes)], OWN_PLACE).then(
        () => onWritten(bytes.length),
        () => {},
      );
    },
    async dropPart(digest, number) {
      await rm(partPath(digest, number), { force: true }).catch(() => {});
    },
  };
}

/** The piece that a file holds, if it is whole. */
export function partIn(path: string): Uint8Array | undefined {
  const bytes = readWhole(path, MAX_PART);
  if (!bytes || bytes.length < DIGEST_BYTES) return undefined;
  const part = bytes.subarray(0, -DIGEST_BYTES);
  return sha256(part).equals(bytes.subarray(-DIGEST_BYTES)) ? part : undefined;
}

/** Whether a text is a record of what was found. */
export function isRecord(text: string): boolean {
  return parseRecord(text) !== undefined;
}

/** Bytes of an index that consists of these blobs. */
export function sizeOf(blobs: FoundArtifact['blobs']): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}

/** A record that does not read as one is none. */
function parseRecord(text: string): FoundArtifact | { none: number } | undefined {
  try {
    const { none, artifact, facts, blobs } = JSON.parse(text) as {
      none?: unknown;
      artifact?: unknown;
      facts?: Partial<IndexFacts>;
      blobs?: unknown;
    };
    if (typeof none === 'number') return { none };
    const checked = indexFacts({
      [IDENTITY]: `${facts?.identity}`,
      [FORMAT]: `${facts?.format}`,
      [SPACING]: `${facts?.spacing}`,
    });
    if (typeof artifact !== 'string' || !isDigest(artifact) || !checked || !Array.isArray(blobs))
      return undefined;
    return blobs.every(isBlob) && sizeOf(blobs) <= MAX_INDEX
      ? { artifact, facts: checked, blobs }
      : undefined;
  } catch {
    return undefined;
  }
}

function isBlob(value: unknown): value is FoundArtifact['blobs'][number] {
  const { mediaType, digest, size } = (value ?? {}) as Record<string, unknown>;
  return (
    typeof mediaType === 'string' &&
    typeof digest === 'string' &&
    isDigest(digest) &&
    Number.isSafeInteger(size) &&
    (size as number) >= 0
  );
}
