/** Artifacts that refer to a manifest, into a registry (distribution-spec 1.1, "Pushing Manifests with Subject"). */

import { randomInt } from 'node:crypto';
import { ClipError } from '../../errors.js';
import type { ConnectionOptions } from '../../http/options.js';
import { pause } from '../../http/retry.js';
import type { Descriptor } from '../../oci/descriptor.js';
import { ACCEPTED_MANIFESTS, OCI_INDEX, OCI_MANIFEST } from '../../oci/media-types.js';
import { digestOf } from '../../reference/digest.js';
import type { RegistryReference } from '../../reference/image-ref.js';
import type { ReadOptions } from '../source.js';
import type { RepositoryApi } from './api.js';
import { createReferrers, readReferrersTag, referrersTag, withReferrer } from './referrers.js';
import { registryError } from './registry-error.js';
import { openRepository, type RegistryOptions } from './repository.js';
import { createUploader, type Uploader } from './upload.js';

export interface Publisher extends Uploader {
  /** Whether the repository has this manifest. */
  hasManifest(digest: string, options: ReadOptions): Promise<boolean>;
  /**
   * Stores a manifest under its digest. With a subject it is in the list of the subject's referrers afterwards. Returns its digest.
   * Throws DENIED, UNAUTHORIZED, REGISTRY, NETWORK, TIMEOUT.
   */
  publish(
    manifest: Uint8Array,
    refers:
      | { subject: string; artifactType: string; annotations: Readonly<Record<string, string>> }
      | undefined,
    options: ReadOptions,
  ): Promise<string>;
  close(): Promise<void>;
}

/** Times that a list is read, changed and written until it holds what was added. */
const MAX_ROUNDS = 12;
/** Milliseconds until a written list is read again: another writer who read it before us has written by then. */
const SETTLE = [150, 400] as const;

/** Connects to a repository to write to it; nothing is sent before the first request. */
export function openPublisher(reference: RegistryReference, options: RegistryOptions): Publisher {
  const { registry, repository } = reference;
  const { connection } = options;
  const names = { registry, repository };
  const { api, close } = openRepository(reference, options, 'pull,push');
  const referrers = createReferrers(api, names);
  return {
    ...createUploader(api, { ...names, connection }),
    close,
    async hasManifest(digest, read) {
      const headers = { accept: ACCEPTED_MANIFESTS.join(', ') };
      let response = await api.send(`manifests/${digest}`, { method: 'HEAD', headers }, read);
      if (response.status !== 200 && response.status !== 404) {
        // Some registries refuse HEAD, and an answer to it has no words.
        await response.body.discard();
        response = await api.get(`manifests/${digest}`, headers, read);
      }
      const { status } = response;
      if (status !== 200 && status !== 404) {
        const what = `${registry}/${repository}@${digest}`;
        throw await registryError(response, { what, login: registry });
      }
      await response.body.discard();
      return status === 200;
    },
    async publish(manifest, refers, read) {
      const digest = digestOf(manifest);
      const response = await putManifest(api, digest, { body: manifest, type: OCI_MANIFEST, ...names, read });
      // A registry that knows subjects says so in its answer; one that does not may still have the API (from a proxy, say).
      const isKnown = response.headers['oci-subject'] !== undefined;
      if (!refers || isKnown) return digest;
      if (referrers.hasApi === undefined) await referrers.list(refers.subject, refers.artifactType, read);
      if (referrers.hasApi === true) return digest;
      const { artifactType, annotations } = refers;
      const entry = { mediaType: OCI_MANIFEST, digest, size: manifest.length, artifactType, annotations };
      await addToTag(api, refers.subject, { entry, read, ...names, connection });
      return digest;
    },
  };
}

interface Put {
  body: Uint8Array;
  type: string;
  registry: string;
  repository: string;
  read: ReadOptions;
  etag?: string | undefined;
}

async function putManifest(api: RepositoryApi, reference: string, put: Put) {
  const { body, type, etag, registry, repository, read } = put;
  const headers = { 'content-type': type, ...(etag === undefined ? {} : { 'if-match': etag }) };
  const response = await api.send(`manifests/${reference}`, { method: 'PUT', headers, body }, read);
  const isStored = response.status === 201 || response.status === 200 || response.status === 202;
  if (!isStored && response.status !== 412) {
    const what = `storing a manifest in ${registry}/${repository}`;
    throw await registryError(response, { what, login: registry });
  }
  await response.body.discard();
  return response;
}

/**
 * Adds to the list under the subject's tag. The distribution specification has no lock: two who read the same list and write it lose
 * one entry. So the update is conditional where the registry takes `If-Match`, and everywhere the list is read again a moment
 * later; whose entry is missing then adds it again.
 */
async function addToTag(
  api: RepositoryApi,
  subject: string,
  add: {
    entry: Descriptor;
    registry: string;
    repository: string;
    read: ReadOptions;
    connection: ConnectionOptions;
  },
): Promise<void> {
  const { entry, registry, repository, read } = add;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const { list, document, etag } = await readReferrersTag(api, subject, { ...read, registry, repository });
    if (list.some(({ digest }) => digest === entry.digest)) return;
    const body = withReferrer(document, entry);
    await putManifest(api, referrersTag(subject), {
      body,
      type: OCI_INDEX,
      etag,
      registry,
      repository,
      read,
    });
    await pause(randomInt(...SETTLE), read.signal);
  }
  throw new ClipError(
    'REGISTRY',
    `${registry}/${repository}: others keep changing ${referrersTag(subject)}`,
    {
      hint: 'try again later',
    },
  );
}
