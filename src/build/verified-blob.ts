import { createHash } from 'node:crypto';
import { ClipError } from '../errors.js';
import type { Descriptor } from '../oci/descriptor.js';
import { splitDigest } from '../reference/digest.js';
import type { ImageSource, ReadOptions } from '../source/source.js';

/**
 * A blob as it streams past, with its size and digest checked before the end is said: who consumes it to the end has the bytes
 * that the manifest names. Throws DIGEST_MISMATCH, and what the source throws.
 */
export async function* verifiedBlob(
  source: ImageSource,
  descriptor: Descriptor,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { algorithm } = splitDigest(descriptor.digest);
  const hash = createHash(algorithm);
  let size = 0;
  for await (const chunk of source.blob(descriptor, options)) {
    size += chunk.length;
    if (size > descriptor.size)
      throw mismatch(descriptor, `more than the ${descriptor.size} bytes of its descriptor`);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== descriptor.size)
    throw mismatch(descriptor, `${size} bytes, its descriptor says ${descriptor.size}`);
  const actual = `${algorithm}:${hash.digest('hex')}`;
  if (actual !== descriptor.digest) throw mismatch(descriptor, `${size} bytes with digest ${actual}`);
}

function mismatch(descriptor: Descriptor, got: string): ClipError {
  return new ClipError('DIGEST_MISMATCH', `blob ${descriptor.digest} does not hold: got ${got}`, {
    hint: 'the registry, a proxy or the disk damaged it: try again, or fetch the image from elsewhere',
  });
}
