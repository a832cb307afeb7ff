import { createHash } from 'node:crypto';
import type { SpanDigests } from '../inflate/span-digests.js';

/** SHA-256 or SHA-512 over a layer's tar, in this thread or in another. */
export interface TarHash {
  update(bytes: Uint8Array): void;
  /** The digest in hex. */
  digest(): string;
  /** Digests of spans from the same bytes, where that spares this thread the work. */
  spans?: {
    digests: SpanDigests;
    /** Those of all that were cut, in order; to be asked for after `digest`. */
    all(): readonly string[];
  };
}

export function createTarHash(algorithm: string): TarHash {
  const hash = createHash(algorithm);
  return {
    update(bytes) {
      hash.update(bytes);
    },
    digest: () => hash.digest('hex'),
  };
}
