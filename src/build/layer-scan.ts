import { ClipError } from '../errors.js';
import { createLayerEncoder } from '../format/layer-encoder.js';
import { createLayerScanner } from '../inflate/scan.js';
import { createTarWalker } from '../tar/walk.js';
import { comparePaths, type Entry } from '../tree/entry.js';
import type { TarHash } from './tar-hash.js';

/** A layer as its manifest and config name it. */
export interface LayerJob {
  /** Digest of the blob. */
  digest: string;
  /** Compressed bytes. */
  size: number;
  /** Digest of the uncompressed tar. */
  diffId: string;
  /** Uncompressed bytes between checkpoints. */
  spacing: number;
}

export interface LayerScan {
  /** The next compressed bytes; a promise only where the decoder is asynchronous (zstd). */
  push(chunk: Uint8Array): void | Promise<void>;
  /** The blob is complete: the layer's section of an index, and its uncompressed size in bytes. */
  end(): Promise<{ section: Uint8Array; uncompressedSize: number }>;
  /** Must be called in the end, whatever happened: whoever scanned can take another layer, or is stopped where this one failed. */
  close(): Promise<void>;
}

/**
 * All that is done with a layer's bytes but fetching them and hashing the blob: decode and cut into spans, hash the tar, walk the tar. One pass;
 * memory does not grow with the layer's bytes, only with its entries (and a few bytes a span). Knows nothing of
 * sources, so that it runs on any thread.
 *
 * Throws DIGEST_MISMATCH when the tar is not what the config says, CORRUPT_LAYER, CORRUPT_TAR, LIMIT, UNSUPPORTED.
 */
export function createLayerScan(job: LayerJob, createTarHash: (algorithm: string) => TarHash): LayerScan {
  const { digest, size, diffId, spacing } = job;
  const encoder = createLayerEncoder({ spacing });
  const entries: Entry[] = [];
  const walker = createTarWalker({ entry: (entry) => entries.push(entry) });
  const algorithm = diffId.slice(0, diffId.indexOf(':'));
  const tarHash = createTarHash(algorithm);
  const scanner = createLayerScanner(
    {
      data(bytes) {
        tarHash.update(bytes);
        walker.push(bytes);
      },
      span: (span, context) => encoder.span(span, context),
    },
    { spacing, digests: tarHash.spans?.digests },
  );
  return {
    push: (chunk) => scanner.push(chunk),
    async end() {
      const { uncompressedSize, encoding } = await scanner.end();
      walker.end();
      const actual = `${algorithm}:${tarHash.digest()}`;
      if (actual !== diffId) {
        throw new ClipError(
          'DIGEST_MISMATCH',
          `layer ${digest} unpacks to ${actual}, its diffID is ${diffId}`,
          {
            hint: 'the image is damaged or forged: its config does not belong to its layers',
          },
        );
      }
      entries.sort((a, b) => comparePaths(a.path, b.path) || a.position - b.position);
      const spanDigests = encoding === 'gzip' ? tarHash.spans?.all() : undefined;
      const layer = { digest, size, diffId, uncompressedSize, encoding };
      const section = encoder.finish({ ...layer, entries, spanDigests });
      return { section, uncompressedSize };
    },
    async close() {},
  };
}
