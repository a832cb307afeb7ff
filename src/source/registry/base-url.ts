import { isLoopback } from '../../http/hosts.js';
import type { ConnectionOptions } from '../../http/options.js';

/** Docker Hub answers under another name than the one in its references. */
const HUB_HOST = 'registry-1.docker.io';

/** Where a registry's API is: HTTPS, or HTTP where asked for or on loopback. Ends in `/v2/`. */
export function registryBaseUrl(registry: string, connection: Pick<ConnectionOptions, 'plainHttp'>): URL {
  const host = registry === 'docker.io' ? HUB_HOST : registry;
  const url = new URL(`https://${host}/v2/`);
  // A URL of another scheme is built anew: changing the scheme would keep a default port's meaning.
  return connection.plainHttp || isLoopback(url.hostname) ? new URL(`http://${host}/v2/`) : url;
}
