import { createHash, type Hash } from 'node:crypto';

/** The running length and SHA-256 of the span that is being filled. */
export interface SpanHash {
  /** Bytes taken since the last `take`. */
  readonly length: number;
  update(bytes: Uint8Array): void;
  /** The digest (64 lower-case hex digits) of the bytes since the last `take`; starts the next span. */
  take(): string;
}

export function createSpanHash(): SpanHash {
  let hash: Hash = createHash('sha256');
  let length = 0;
  return {
    get length() {
      return length;
    },
    update(bytes) {
      hash.update(bytes);
      length += bytes.length;
    },
    take() {
      const digest = hash.digest('hex');
      hash = createHash('sha256');
      length = 0;
      return digest;
    },
  };
}
