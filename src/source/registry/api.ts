/** Authorised requests under a repository's `/v2/<name>/`. */

import type { HttpClient } from '../../http/client.js';
import type { HttpResponse, Method } from '../../http/transport.js';
import type { ReadOptions } from '../source.js';
import type { Authorizer } from './authorizer.js';
import type { RegistryEndpoint } from './endpoint.js';
import { observed } from './token.js';

/** A 401 is answered this often: once with what the challenge asks for, once more if the token ran out just then. */
const MAX_CHALLENGES = 2;

export interface RepositoryApi {
  /** The response whatever its status, after challenges were answered. `path` is below `/v2/<name>/`. */
  get(path: string, headers: Readonly<Record<string, string>>, options: ReadOptions): Promise<HttpResponse>;
  /**
   * The same for any method; `to` is a path below `/v2/<name>/`, or a URL that the registry gave, which is sent the login only if it
   * is the registry's own. What is neither GET nor HEAD is sent once, but for challenges.
   */
  send(to: string | URL, message: Message, options: ReadOptions): Promise<HttpResponse>;
  /** A GET of any URL, without authorisation. */
  getDirect(url: URL, headers: Readonly<Record<string, string>>, options: ReadOptions): Promise<HttpResponse>;
  /** Scheme, host and port of the registry, as far as it is known. */
  readonly origin: string;
}

export interface Message {
  method: Method;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array;
  /** As of an `HttpRequest`. */
  patience?: number | undefined;
}

export function createRepositoryApi(
  client: HttpClient,
  authorizer: Authorizer,
  where: { endpoint: RegistryEndpoint; repository: string },
): RepositoryApi {
  const { endpoint, repository } = where;

  async function send(to: string | URL, message: Message, options: ReadOptions): Promise<HttpResponse> {
    const { method, headers = {}, body, patience } = message;
    for (let challenges = 0; ; challenges++) {
      const own = typeof to === 'string' || to.origin === endpoint.base.origin;
      const authorization = own ? await authorizer.current(options) : undefined;
      const request = {
        method,
        headers: authorization === undefined ? headers : { ...headers, authorization },
        ...(body === undefined ? {} : { body }),
        patience,
        ...observed(options),
      };
      const response =
        typeof to === 'string'
          ? await endpoint.request(`${repository}/${to}`, request)
          : await client.request({ ...request, url: to });
      // A 401 from a host that the registry redirected to is not the registry's challenge.
      const challenged = own && response.status === 401 && response.url.origin === endpoint.base.origin;
      if (!challenged || challenges === MAX_CHALLENGES) return response;
      await response.body.discard();
      await authorizer.challenged(response.headers['www-authenticate'], authorization, options);
    }
  }

  return {
    get origin() {
      return endpoint.base.origin;
    },
    getDirect: (url, headers, options) =>
      client.request({ method: 'GET', url, headers, ...observed(options) }),
    get: (path, headers, options) => send(path, { method: 'GET', headers }, options),
    send,
  };
}
