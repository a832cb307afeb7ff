/**
 * Where a blob's bytes are: the registry, the store it redirects to (remembered, so that further reads cost one request), or
 * the `urls` of a non-distributable layer.
 */

import type { ConnectionOptions } from '../../http/options.js';
import type { HttpResponse } from '../../http/transport.js';
import type { ReadOptions } from '../source.js';
import type { RepositoryApi } from './api.js';
import type { BlobLocator } from './blob-reader.js';
import { getForeignLayer, isSuccess } from './foreign-layer.js';

/** Redirects remembered; an image has at most this many layers. */
const MAX_REMEMBERED = 1024;

/** How object stores answer a presigned URL that has run out: S3 and Azure 403, Google's 400, others 401. */
const EXPIRED = new Set([400, 401, 403]);

export function createBlobLocator(
  api: RepositoryApi,
  settings: { connection: ConnectionOptions; home: string },
): BlobLocator {
  const remembered = new Map<string, URL>();

  function remember(digest: string, response: HttpResponse): void {
    if (response.url.origin === api.origin || !isSuccess(response)) return;
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(digest, response.url);
  }

  async function fromRemembered(
    digest: string,
    headers: Readonly<Record<string, string>>,
    options: ReadOptions,
  ): Promise<HttpResponse | undefined> {
    const url = remembered.get(digest);
    if (url === undefined) return undefined;
    const response = await api.getDirect(url, headers, options);
    if (isSuccess(response)) return response;
    // A presigned URL that has run out: the registry gives a fresh one.
    remembered.delete(digest);
    await response.body.discard();
    return undefined;
  }

  return {
    async get(descriptor, headers, options) {
      const again = await fromRemembered(descriptor.digest, headers, options);
      if (again !== undefined) return again;
      let response = await api.get(`blobs/${descriptor.digest}`, headers, options);
      if (response.url.origin !== api.origin && EXPIRED.has(response.status)) {
        // The URL ran out while others were waited for: the registry gives a fresh one, once.
        await response.body.discard();
        response = await api.get(`blobs/${descriptor.digest}`, headers, options);
      }
      remember(descriptor.digest, response);
      if (response.status !== 404 || descriptor.urls === undefined) return response;
      await response.body.discard();
      const get = (url: URL) => api.getDirect(url, headers, options);
      const foreign = await getForeignLayer(descriptor, { ...settings, get, signal: options.signal });
      remember(descriptor.digest, foreign);
      return foreign;
    },
  };
}
