import { ClipError } from '../errors.js';
import type { ByteSource } from '../format/image-index.js';
import { digestOf, splitDigest } from '../reference/digest.js';
import type { ImageSource, ReadOptions } from '../source/source.js';
import { type FoundArtifact, type FoundStore, WHOLE } from './found-store.js';

/** Larger ones are fetched in pieces of this size, the unit that is kept; neighbours in one request. */
export const PIECE = 256 << 10;
/** Pieces of one request, when a blob is read from one end to the other. */
const MAX_RUN = 8;
/** Pieces held in memory. */
const HELD = 64;

export interface BlobPartsOptions extends ReadOptions {
  blobs: FoundArtifact['blobs'];
  store: FoundStore;
  /** Called when a piece is neither in memory nor in the store. */
  source: () => Promise<ImageSource>;
}

/** Blobs of a repository as one file, read by ranges; what was read once is kept in the store. */
export interface BlobParts extends ByteSource {
  /** Forgets all that was kept of these blobs. */
  drop(): Promise<void>;
}

interface Blob {
  digest: string;
  size: number;
  mediaType: string;
  /** In the file. */
  start: number;
  piece: number;
  pieces: number;
  /** The piece after the last one that was fetched, and how many were fetched with it. */
  next: number;
  run: number;
}

/**
 * Opens the blobs of an index as its file. Reading throws CORRUPT_INDEX where a whole blob is not what its digest says, and what the source
 * throws; pieces of larger blobs are verified by the index, block by block.
 */
export function openBlobParts(options: BlobPartsOptions): BlobParts {
  const { store, source } = options;
  const read: ReadOptions = {
    ...(options.observer && { observer: options.observer }),
    ...(options.signal && { signal: options.signal }),
  };
  const blobs = placed(options.blobs);
  const size = blobs.reduce((sum, blob) => sum + blob.size, 0);
  const held = new Map<string, Promise<Uint8Array>>();
  const writes = new Set<Promise<void>>();

  function hold(key: string, piece: Promise<Uint8Array>): void {
    held.set(key, piece);
    // A failure is not kept: the next read asks again.
    piece.catch(() => held.delete(key));
  }

  function keep(blob: Blob, number: number, bytes: Uint8Array): void {
    const writing = store.putPart(blob.digest, number, bytes).finally(() => writes.delete(writing));
    writes.add(writing);
  }

  /** Pieces [first, last] of a blob. What is in no one's hands yet is looked for in the store, then fetched. */
  async function pieces(blob: Blob, first: number, last: number): Promise<Uint8Array[]> {
    const numbers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const absent = numbers.filter((number) => !held.has(keyOf(blob, number)));
    if (absent.length > 0) {
      const loading = load(blob, absent);
      for (const number of absent)
        hold(
          keyOf(blob, number),
          loading.then((loaded) => loaded.get(number)!),
        );
    }
    const wanted = numbers.map((number) => held.get(keyOf(blob, number))!);
    while (held.size > Math.max(HELD, numbers.length)) held.delete(held.keys().next().value!);
    return await Promise.all(wanted);
  }

  async function load(blob: Blob, numbers: readonly number[]): Promise<Map<number, Uint8Array>> {
    const loaded = new Map<number, Uint8Array>();
    await Promise.all(
      numbers.map(async (number) => {
        const part = await store.part(blob.digest, number);
        if (part?.length === lengthOf(blob, number)) loaded.set(number, part);
      }),
    );
    for (const [first, last] of runs(numbers.filter((number) => !loaded.has(number)))) {
      for (const [number, part] of await fetch(blob, first, last)) loaded.set(number, part);
    }
    return loaded;
  }

  /** Fetches pieces [first, last] with one request; more of them, the longer a blob is read in order. */
  async function fetch(blob: Blob, first: number, last: number): Promise<Map<number, Uint8Array>> {
    blob.run = first === blob.next ? Math.min(blob.run * 2, MAX_RUN) : 1;
    let end = last;
    const ahead = Math.min(first + blob.run - 1, blob.pieces - 1);
    while (end < ahead && !held.has(keyOf(blob, end + 1))) end++;
    blob.next = end + 1;
    const offset = first * blob.piece;
    const range = fetchRange(blob, offset, Math.min((end + 1) * blob.piece, blob.size) - offset);
    const slice = (bytes: Uint8Array, number: number) => {
      const start = number * blob.piece - offset;
      return bytes.subarray(start, start + lengthOf(blob, number));
    };
    for (let number = last + 1; number <= end; number++) {
      hold(
        keyOf(blob, number),
        range.then((bytes) => slice(bytes, number)),
      );
    }
    const bytes = await range;
    const fetched = new Map<number, Uint8Array>();
    for (let number = first; number <= end; number++) {
      fetched.set(number, slice(bytes, number));
      keep(blob, number, slice(bytes, number));
    }
    return fetched;
  }

  async function fetchRange(blob: Blob, offset: number, length: number): Promise<Uint8Array> {
    const from = await source();
    const bytes = Buffer.allocUnsafe(length);
    let done = 0;
    const { mediaType, digest } = blob;
    for await (const chunk of from.range({ mediaType, digest, size: blob.size }, { offset, length }, read)) {
      if (done + chunk.length > length) break;
      bytes.set(chunk, done);
      done += chunk.length;
    }
    if (done !== length) throw corrupt(blob.digest, `${done} bytes came instead of ${length}`);
    if (length === blob.size) {
      const actual = digestOf(bytes, splitDigest(digest).algorithm);
      if (actual !== digest) throw corrupt(digest, `its bytes have digest ${actual}`);
    }
    return bytes;
  }

  async function readBlob(blob: Blob, offset: number, length: number): Promise<Uint8Array> {
    const first = Math.floor(offset / blob.piece);
    const last = Math.floor((offset + length - 1) / blob.piece);
    const parts = await pieces(blob, first, last);
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    const start = offset - first * blob.piece;
    return bytes.subarray(start, start + length);
  }

  return {
    size,
    // The first blob holds all that opening an index reads: the next need not be touched.
    head: blobs[0]?.size ?? 0,
    async read(offset, length) {
      const end = offset + length;
      if (length === 0) return new Uint8Array(0);
      const touched = blobs.filter((blob) => blob.start < end && blob.start + blob.size > offset);
      const parts = await Promise.all(
        touched.map((blob) => {
          const from = Math.max(offset, blob.start) - blob.start;
          return readBlob(blob, from, Math.min(end - blob.start, blob.size) - from);
        }),
      );
      return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    },
    async close() {
      await Promise.all(writes);
    },
    async drop() {
      await Promise.all(writes);
      held.clear();
      for (const { digest, pieces } of blobs) {
        for (let number = 0; number < pieces; number++) await store.dropPart(digest, number);
      }
    },
  };
}

function placed(blobs: FoundArtifact['blobs']): Blob[] {
  let start = 0;
  return blobs.map(({ digest, size, mediaType }) => {
    const piece = size <= WHOLE ? Math.max(size, 1) : PIECE;
    const blob = { digest, size, mediaType, start, piece, pieces: Math.ceil(size / piece), next: -1, run: 1 };
    start += size;
    return blob;
  });
}

function keyOf(blob: Blob, number: number): string {
  return `${blob.digest}-${number}`;
}

/** Ascending numbers as runs of neighbours. */
function runs(numbers: readonly number[]): [first: number, last: number][] {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const run = found.at(-1);
    if (run?.[1] === number - 1) run[1] = number;
    else found.push([number, number]);
  }
  return found;
}

function lengthOf(blob: Blob, number: number): number {
  return Math.min((number + 1) * blob.piece, blob.size) - number * blob.piece;
}

function corrupt(digest: string, problem: string): ClipError {
  return new ClipError('CORRUPT_INDEX', `blob ${digest} of the index does not hold: ${problem}`, {
    hint: 'the registry or a proxy damaged it: try again, or build an index yourself with --index build',
  });
}
