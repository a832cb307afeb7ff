/** Authorised GETs under a repository's `/v2/<name>/`. */

import type { HttpClient } from '../../http/client.js';
import type { HttpResponse } from '../../http/transport.js';
import type { ReadOptions } from '../source.js';
import type { Authorizer } from './authorizer.js';
import type { RegistryEndpoint } from './endpoint.js';
import { observed } from './token.js';

/** A 401 is answered this often: once with what the challenge asks for, once more if the token ran out just then. */
const MAX_CHALLENGES = 2;

export interface RepositoryApi {
  /** The response whatever its status, after challenges were answered. `path` is below `/v2/<name>/`. */
  get(path: string, headers: Readonly<Record<string, string>>, options: ReadOptions): Promise<HttpResponse>;
  /** The same for any URL, without authorisation. */
  getDirect(url: URL, headers: Readonly<Record<string, string>>, options: ReadOptions): Promise<HttpResponse>;
  /** Scheme, host and port of the registry, as far as it is known. */
  readonly origin: string;
}

export function createRepositoryApi(
  client: HttpClient,
  authorizer: Authorizer,
  where: { endpoint: RegistryEndpoint; repository: string },
): RepositoryApi {
  return {
    get origin() {
      return where.endpoint.base.origin;
    },
    getDirect: (url, headers, options) =>
      client.request({ method: 'GET', url, headers, ...observed(options) }),
    async get(path, headers, options) {
      for (let challenges = 0; ; challenges++) {
        const authorization = await authorizer.current(options);
        const response = await where.endpoint.request(`${where.repository}/${path}`, {
          method: 'GET',
          headers: authorization === undefined ? headers : { ...headers, authorization },
          ...observed(options),
        });
        // A 401 from a host that the registry redirected to is not the registry's challenge.
        const challenged = response.status === 401 && response.url.origin === where.endpoint.base.origin;
        if (!challenged || challenges === MAX_CHALLENGES) return response;
        await response.body.discard();
        await authorizer.challenged(response.headers['www-authenticate'], authorization, options);
      }
    },
  };
}
