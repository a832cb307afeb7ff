import { createHash } from 'node:crypto';

/** SHA-256 or SHA-512 over a layer's tar, in this thread or in another. */
export interface TarHash {
  update(bytes: Uint8Array): void;
  /** The digest in hex. */
  digest(): string;
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
