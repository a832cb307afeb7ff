/** Where a registry's API is, and whether it speaks HTTP or HTTPS. */

import { isClipError } from '../../errors.js';
import { abortable } from '../../http/abortable.js';
import type { HttpClient, HttpRequest } from '../../http/client.js';
import { errorCode } from '../../http/errors.js';
import { isLoopback } from '../../http/hosts.js';
import type { ConnectionOptions } from '../../http/options.js';
import type { HttpResponse } from '../../http/transport.js';

/** Docker Hub answers under another name than the one in its references. */
const HUB_HOST = 'registry-1.docker.io';

type PathRequest = Omit<HttpRequest, 'url'>;

export interface RegistryEndpoint {
  /** Ends in `/v2/`. */
  readonly base: URL;
  /** Sends a request for a path below `base`. */
  request(path: string, request: PathRequest): Promise<HttpResponse>;
}

/**
 * HTTPS; HTTP where asked for, or under `plainFallback` where no TLS server answers. On loopback HTTP is tried first, and HTTPS where the
 * first answer shows a TLS server: that costs an open local registry nothing. Requests that come meanwhile wait for that answer.
 */
export function createEndpoint(
  client: HttpClient,
  registry: string,
  connection: Pick<ConnectionOptions, 'plainHttp' | 'plainFallback'>,
): RegistryEndpoint {
  const secure = baseUrl('https', registry);
  const plain = baseUrl('http', registry);
  let base = connection.plainHttp || isLoopback(secure.hostname) ? plain : secure;
  let decided = connection.plainHttp || (base === secure && connection.plainFallback !== true);
  let deciding: Promise<unknown> | undefined;

  /** Undefined: this is no TLS server, and the request is to be sent again in the ordinary way. */
  async function probe(path: string, request: PathRequest): Promise<HttpResponse | undefined> {
    try {
      const response = await client.request({ ...request, url: new URL(path, plain), notRetried: wasCut });
      if (response.status !== 400) {
        decided = true;
        return response;
      }
      await response.body.discard();
    } catch (error) {
      if (!wasCut(error)) throw error;
    }
    try {
      const response = await client.request({ ...request, url: new URL(path, secure), tries: 1 });
      decided = true;
      base = secure;
      return response;
    } catch (error) {
      // A certificate that does not verify shows a TLS server all the same.
      if (isClipError(error, 'NETWORK') && !isBadCertificate(error)) return undefined;
      throw error;
    }
  }

  /** Undefined: no TLS server answers, and the request is to be sent again in the clear. */
  async function tryTls(path: string, request: PathRequest): Promise<HttpResponse | undefined> {
    try {
      const response = await client.request({ ...request, url: new URL(path, secure), tries: 1 });
      decided = true;
      return response;
    } catch (error) {
      if (!isNoTlsServer(error)) throw error;
      decided = true;
      base = plain;
      return undefined;
    }
  }

  async function first(path: string, request: PathRequest): Promise<HttpResponse | undefined> {
    const trying = base === secure ? tryTls(path, request) : probe(path, request);
    const settled = trying
      .catch(() => {})
      .then(() => {
        if (deciding === settled) deciding = undefined;
      });
    deciding = settled;
    return trying;
  }

  return {
    get base() {
      return base;
    },
    async request(path, request) {
      if (deciding) await abortable(deciding, request.signal);
      // Only what changes nothing can be sent twice without harm.
      const probed = decided || !isSafe(request) ? undefined : await first(path, request);
      return probed ?? (await client.request({ ...request, url: new URL(path, base) }));
    },
  };
}

function isSafe({ method }: PathRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

function baseUrl(scheme: 'http' | 'https', registry: string): URL {
  return new URL(`${scheme}://${registry === 'docker.io' ? HUB_HOST : registry}/v2/`);
}

/** How TLS servers end a plain HTTP request: by a closed connection or an alert; Go's and nginx by status 400. */
function wasCut(error: unknown): boolean {
  if (!isClipError(error, 'NETWORK')) return false;
  return /^(?:UND_ERR_SOCKET|ECONNRESET|EPIPE|HPE_.*)$/.test(errorCode(error.cause));
}

function isNoTlsServer(error: unknown): boolean {
  if (!isClipError(error, 'NETWORK')) return false;
  return /^(?:EPROTO|ERR_SSL_.*|ECONNREFUSED)$/.test(errorCode(error.cause));
}

function isBadCertificate(error: Error): boolean {
  return /CERT|SIGN/.test(errorCode(error.cause));
}
