/** Content digests, `algorithm:hex` (OCI image-spec, descriptor.md § Digests), of the two registered algorithms. */

import { createHash } from 'node:crypto';

export type DigestAlgorithm = 'sha256' | 'sha512';

const PATTERN = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether `text` is a digest that clip can check: sha256 or sha512, lower-case hex of the right length. */
export function isDigest(text: string): boolean {
  return PATTERN.test(text);
}

/** Takes a valid digest apart. `hex` holds no character but 0–9 and a–f, so it is safe as a file name. */
export function splitDigest(digest: string): { algorithm: DigestAlgorithm; hex: string } {
  if (!isDigest(digest)) throw new RangeError(`not a digest: ${digest.slice(0, 80)}`);
  return { algorithm: digest.slice(0, 6) as DigestAlgorithm, hex: digest.slice(7) };
}

/** The digest of `bytes`. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}
