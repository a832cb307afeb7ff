/** Images in a registry (distribution-spec § Pull). */

import { ClipError } from '../../errors.js';
import { readBody } from '../../http/client.js';
import { isRetryable } from '../../http/errors.js';
import { backoff, pause } from '../../http/retry.js';
import { MAX_DOCUMENT } from '../../oci/json.js';
import { ACCEPTED_MANIFESTS } from '../../oci/media-types.js';
import { digestOf, splitDigest } from '../../reference/digest.js';
import type { RegistryReference } from '../../reference/image-ref.js';
import { printReference } from '../../reference/print-image.js';
import type { ImageSource, ManifestResult, ReadOptions } from '../source.js';
import { createBlobLocator } from './blob-locator.js';
import { createBlobReader } from './blob-reader.js';
import type { Referrers } from './referrers.js';
import { registryError } from './registry-error.js';
import { openRepository, type RegistryOptions } from './repository.js';

/** Milliseconds that a list of referrers may keep a read waiting: who asks for it can do without. */
const PATIENCE = 2000;

export type { RegistryOptions } from './repository.js';

/** Opens a repository; nothing is asked of the registry before the first read. */
export function openRegistry(reference: RegistryReference, options: RegistryOptions): ImageSource {
  const { connection } = options;
  const { registry, repository } = reference;
  const { api, close } = openRepository(reference, options, 'pull');
  const home = `${registry}/${repository}`;
  const locator = createBlobLocator(api, { connection, home });
  const blobs = createBlobReader(locator, { host: registry, home, connection });

  let referrers: Referrers | undefined;

  async function fetchManifest(digest: string | undefined, read: ReadOptions): Promise<ManifestResult> {
    const target = digest ?? reference.digest ?? reference.tag ?? 'latest';
    const what = `${registry}/${repository}${target.includes(':') ? '@' : ':'}${target}`;
    const response = await api.get(`manifests/${target}`, { accept: ACCEPTED_MANIFESTS.join(', ') }, read);
    if (response.status !== 200) throw await registryError(response, { what, login: registry });
    const bytes = await readBody(response, MAX_DOCUMENT, `the manifest of ${what}`);
    checkDigest(bytes, target, what);
    return { bytes, mediaType: response.headers['content-type'] ?? '', digest: digestOf(bytes) };
  }

  return {
    name: `docker://${printReference(reference)}`,
    async manifest(digest, read = {}) {
      // A body that breaks is asked for again as a whole; a connection that fails is tried again below this.
      for (let attempt = 1; ; attempt++) {
        try {
          return await fetchManifest(digest, read);
        } catch (error) {
          if (attempt >= connection.tries || !isRetryable(error)) throw error;
          await pause(backoff(attempt, connection.retryDelay), read.signal);
        }
      }
    },
    blob: (descriptor, read = {}) => blobs.read(descriptor, read.offset ?? 0, descriptor.size, read),
    range: (descriptor, { offset, length }, read = {}) =>
      blobs.read(descriptor, offset, offset + length, read),
    async referrers(subject, artifactType, read = {}) {
      const { createReferrers } = await import('./referrers.js');
      referrers ??= createReferrers(api, { registry, repository });
      return await referrers.list(subject, artifactType, { ...read, patience: PATIENCE });
    },
    close,
  };
}

/** Asked for by digest, the bytes must have it; what the registry's Docker-Content-Digest says does not matter. */
function checkDigest(bytes: Uint8Array, target: string, what: string): void {
  if (!target.includes(':')) return;
  const actual = digestOf(bytes, splitDigest(target).algorithm);
  if (actual === target) return;
  throw new ClipError('DIGEST_MISMATCH', `the manifest of ${what} has digest ${actual}`, {
    hint: 'the registry or a proxy in front of it is faulty; do not trust it',
  });
}
