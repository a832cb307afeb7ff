/** Blobs into a registry (distribution-spec, "Pushing blobs"): what is there already is not sent. */

import { ClipError } from '../../errors.js';
import { isPassing } from '../../http/errors.js';
import type { ConnectionOptions } from '../../http/options.js';
import { backoff, isTransientStatus, pause } from '../../http/retry.js';
import type { HttpResponse } from '../../http/transport.js';
import type { Descriptor } from '../../oci/descriptor.js';
import type { ReadOptions } from '../source.js';
import type { RepositoryApi } from './api.js';
import { registryError } from './registry-error.js';

/** Bytes of one PATCH, where a registry (or a proxy before it) refuses a blob in one piece. */
const CHUNK = 4 << 20;
/** Statuses that say so: too large, or this way of uploading is not known. */
const TOO_LARGE = new Set([405, 413, 415, 501]);

export interface Uploader {
  /** Uploads unless the repository has the blob; true if it was sent. Throws DENIED, UNAUTHORIZED, REGISTRY, NETWORK, TIMEOUT. */
  upload(blob: Pick<Descriptor, 'digest'>, bytes: Uint8Array, options: ReadOptions): Promise<boolean>;
}

export function createUploader(
  api: RepositoryApi,
  settings: { registry: string; repository: string; connection: ConnectionOptions },
): Uploader {
  const { registry, repository, connection } = settings;
  /** Refusals that say "later". */
  const passing = new WeakSet<Error>();
  let chunked = false;

  async function has(digest: string, options: ReadOptions): Promise<boolean> {
    const response = await api.send(`blobs/${digest}`, { method: 'HEAD' }, options);
    await response.body.discard();
    // Some registries refuse HEAD; then the upload finds out.
    return response.status === 200;
  }

  /** Begins an upload; where to send the bytes. */
  async function begin(digest: string, options: ReadOptions): Promise<URL> {
    const response = await api.send('blobs/uploads/', { method: 'POST', body: NOTHING }, options);
    return await location(response, [202], digest);
  }

  async function location(response: HttpResponse, expected: readonly number[], digest: string): Promise<URL> {
    if (!expected.includes(response.status)) throw await failed(response, digest);
    const { location: text = '' } = response.headers;
    await response.body.discard();
    if (!URL.canParse(text, response.url.href)) {
      throw new ClipError('REGISTRY', `${registry} does not say where to upload to`, {
        hint: 'the registry is misconfigured',
      });
    }
    const url = new URL(text, response.url);
    const isPlain = url.protocol === 'http:' && (response.url.protocol === 'http:' || connection.plainHttp);
    if (url.protocol !== 'https:' && !isPlain) {
      throw new ClipError('REGISTRY', `${registry} wants an upload over ${url.protocol}//`, {
        hint: 'if you trust the network, allow plain HTTP with --plain-http',
      });
    }
    return url;
  }

  async function failed(response: HttpResponse, digest: string): Promise<Error> {
    const what = `uploading blob ${digest} to ${registry}/${repository}`;
    const error = await registryError(response, { what, login: registry });
    if (isTransientStatus(response.status)) passing.add(error);
    return error;
  }

  async function once(digest: string, bytes: Uint8Array, options: ReadOptions): Promise<void> {
    if (!chunked) {
      const response = await put(await begin(digest, options), digest, { bytes, options });
      if (!TOO_LARGE.has(response.status)) return await finished(response, digest);
      await response.body.discard();
      chunked = true;
    }
    let url = await begin(digest, options);
    for (let offset = 0; offset < bytes.length; offset += CHUNK) {
      const body = bytes.subarray(offset, offset + CHUNK);
      const headers = { ...OCTETS, 'content-range': `${offset}-${offset + body.length - 1}` };
      url = await location(await api.send(url, { method: 'PATCH', headers, body }, options), [202], digest);
    }
    await finished(await put(url, digest, { bytes: NOTHING, options }), digest);
  }

  async function put(
    at: URL,
    digest: string,
    { bytes, options }: { bytes: Uint8Array; options: ReadOptions },
  ): Promise<HttpResponse> {
    const url = new URL(at);
    url.searchParams.set('digest', digest);
    return await api.send(url, { method: 'PUT', headers: OCTETS, body: bytes }, options);
  }

  async function finished(response: HttpResponse, digest: string): Promise<void> {
    if (response.status !== 201 && response.status !== 204) throw await failed(response, digest);
    await response.body.discard();
  }

  return {
    async upload({ digest }, bytes, options) {
      if (await has(digest, options)) return false;
      // An upload that breaks is begun anew: its first half serves nobody.
      for (let attempt = 1; ; attempt++) {
        try {
          await once(digest, bytes, options);
          return true;
        } catch (error) {
          const again = isPassing(error) || passing.has(error as Error);
          if (attempt >= connection.tries || !again) throw error;
          await pause(backoff(attempt, connection.retryDelay), options.signal);
        }
      }
    },
  };
}

const NOTHING = new Uint8Array(0);
const OCTETS = { 'content-type': 'application/octet-stream' };
