import { createHttpClient, type HttpClient } from '../../http/client.js';
import type { ConnectionOptions } from '../../http/options.js';
import type { HttpResponse } from '../../http/transport.js';
import { READS_AT_ONCE } from './engine.js';

/** What one object's requests are made with. */
export interface ObjectRequest {
  url: URL;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  signal: AbortSignal;
}

/** GET, PUT and DELETE of objects over src/http, each tried once: a cache that has to be asked twice is no faster than the origin. */
export interface ObjectRequests {
  get(request: ObjectRequest): Promise<HttpResponse>;
  put(request: ObjectRequest & { body: Uint8Array }): Promise<HttpResponse>;
  delete(request: ObjectRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

/** Reads and writes have connections of their own, so that no read waits behind a write. */
export function createObjectRequests(connection: ConnectionOptions): ObjectRequests {
  const options = { ...connection, tries: 1 };
  let reading: HttpClient | undefined;
  let writing: HttpClient | undefined;
  const reader = () => {
    reading ??= createHttpClient({ ...options, connections: READS_AT_ONCE });
    return reading;
  };
  const writer = () => {
    writing ??= createHttpClient(options);
    return writing;
  };
  return {
    get: (request) => reader().request({ ...request, method: 'GET' }),
    put: (request) => writer().request({ ...request, method: 'PUT' }),
    delete: (request) => writer().request({ ...request, method: 'DELETE' }),
    async close() {
      await Promise.all([reading?.close(), writing?.close()]);
    },
  };
}

/** A body; none of one that is longer than `length`: the value does not hold then, and the rest is worth nothing. */
export async function readValue(response: HttpResponse, length: number): Promise<Uint8Array> {
  return (await response.body.all(length)) ?? new Uint8Array(0);
}

/** The beginning of an error's body, for its code. */
export async function readStart(response: HttpResponse): Promise<string> {
  return (await response.body.start(4096, 1000)).toString('latin1');
}
