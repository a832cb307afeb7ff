import { now } from '../clock.js';
import { isClipError } from '../errors.js';
import type { Observer } from '../observer.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { ImageSource } from '../source/source.js';
import type { ScanPool } from './scan-pool.js';
import { verifiedBlob } from './verified-blob.js';

export interface ScanLayerOptions {
  /** Uncompressed bytes between checkpoints. */
  spacing: number;
  pool: ScanPool;
  observer: Observer;
  signal?: AbortSignal;
}

/**
 * Reads one layer once, as it streams past, with its digest and its diffID verified. Returns the layer's section of an index.
 *
 * Throws DIGEST_MISMATCH, CORRUPT_LAYER, CORRUPT_TAR, LIMIT, UNSUPPORTED, and what the source throws.
 */
export async function scanLayer(
  source: ImageSource,
  layer: { descriptor: Descriptor; diffId: string },
  { spacing, pool, observer, signal }: ScanLayerOptions,
): Promise<Uint8Array> {
  const { descriptor, diffId } = layer;
  const { digest, size } = descriptor;
  const started = now();
  const scan = pool.open({ digest, size, diffId, spacing });
  const blob = verifiedBlob(source, descriptor, { observer, ...(signal && { signal }) });
  observer.emit({ type: 'inflate-start', unit: 'layer', layer: digest, key: digest });
  let done = 0;
  try {
    for (let next = await blob.next(); !next.done; next = await blob.next()) {
      // Awaiting what is no promise would cost a turn of the loop for every chunk.
      const pending = scan.push(next.value);
      if (pending) await pending;
      done += next.value.length;
      observer.emit({ type: 'progress', task: digest, done, total: size, unit: 'bytes' });
    }
    const { section, uncompressedSize } = await scan.end();
    const seconds = (now() - started) / 1000;
    observer.emit({
      type: 'inflate',
      unit: 'layer',
      layer: digest,
      key: digest,
      bytes: uncompressedSize,
      seconds,
    });
    return section;
  } catch (error) {
    // Bytes that do not decode are most often bytes that were damaged on the way: then the digest is what to name.
    if (isClipError(error, 'CORRUPT_LAYER') || isClipError(error, 'CORRUPT_TAR')) {
      while (!(await blob.next()).done);
    }
    throw error;
  } finally {
    await scan.close();
    await blob.return();
  }
}
