/**
 * Layers that lie neither in the registry nor in the layout but at the `urls` of their descriptor (image-spec, descriptor.md and
 * layer.md, non-distributable layers). Each URL is asked in its order, without authorisation.
 */

import { ClipError, isClipError } from '../../errors.js';
import { createHttpClient } from '../../http/client.js';
import type { ConnectionOptions } from '../../http/options.js';
import { redactUrl } from '../../http/redact-url.js';
import type { HttpResponse } from '../../http/transport.js';
import type { Descriptor } from '../../oci/descriptor.js';
import type { ReadOptions } from '../source.js';
import { type BlobReader, createBlobReader } from './blob-reader.js';
import { observed } from './token.js';

/** URLs whose failures an error tells one by one. */
const MAX_TOLD = 3;

export interface ForeignLayerOptions {
  connection: ConnectionOptions;
  /** A GET without authorisation. */
  get(url: URL): Promise<HttpResponse>;
  /** What it is not in: `registry/repository`, `oci:DIR:TAG`. */
  home: string;
  signal?: AbortSignal | undefined;
}

/** The first URL that answers 200 or 206. Throws NOT_FOUND, which tells of every URL why it was of no use, and INTERRUPTED. */
export async function getForeignLayer(
  { digest, urls = [] }: Descriptor,
  { connection, get, home, signal }: ForeignLayerOptions,
): Promise<HttpResponse> {
  const failures: string[] = [];
  let isPlain = false;
  for (const text of urls) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    // An image cannot make clip open a file or speak in the clear.
    if (url?.protocol === 'http:' && !connection.plainHttp) {
      isPlain = true;
      failures.push(`${redactUrl(url)} is not HTTPS`);
    } else if (url === undefined || !/^https?:$/.test(url.protocol)) {
      failures.push(`${redactUrl(text)} is no HTTPS URL`);
    } else {
      try {
        const response = await get(url);
        if (isSuccess(response)) return response;
        await response.body.discard();
        failures.push(`${redactUrl(url)} answered with status ${response.status}`);
      } catch (error) {
        if (!isClipError(error) || error.code === 'INTERRUPTED' || signal?.aborted === true) throw error;
        failures.push(`${redactUrl(url)}: ${error.message}`);
      }
    }
  }
  const more = failures.length > MAX_TOLD ? `; and ${failures.length - MAX_TOLD} more` : '';
  throw new ClipError(
    'NOT_FOUND',
    `blob ${digest} is not in ${home}, and none of its urls gives it: ${failures.slice(0, MAX_TOLD).join('; ')}${more}`,
    {
      hint: isPlain
        ? 'if you trust the network, --plain-http allows URLs without TLS'
        : 'the layer may not be distributed with the image: ask its maker for another place',
    },
  );
}

/** Whether the answer is bytes of the blob: all of them, or the range that was asked for. */
export function isSuccess({ status }: HttpResponse): boolean {
  return status === 200 || status === 206;
}

/** Reads such layers for a source that has no registry. Nothing is connected to before the first read. */
export function createForeignReader(
  connection: ConnectionOptions,
  home: string,
): BlobReader & { close(): Promise<void> } {
  const client = createHttpClient(connection);
  const get = (
    descriptor: Descriptor,
    headers: Readonly<Record<string, string>>,
    options: ReadOptions,
  ): Promise<HttpResponse> =>
    getForeignLayer(descriptor, {
      connection,
      home,
      signal: options.signal,
      get: (url) => client.request({ method: 'GET', url, headers, ...observed(options) }),
    });
  const reader = createBlobReader({ get }, { host: 'the host of a layer', home, connection });
  return { ...reader, close: () => client.close() };
}
