import type { ConnectionOptions } from '../../http/options.js';
import type { HttpResponse } from '../../http/transport.js';
import type { HttpAddress } from './address.js';
import type { RemoteEngine } from './engine.js';
import { createObjectRequests, readValue } from './http-requests.js';

/** Any server that takes GET and PUT (and, if it likes, DELETE) of `<base>/<key>`, such as nginx with DAV. */
export function createHttpEngine(address: HttpAddress, connection: ConnectionOptions): RemoteEngine {
  const requests = createObjectRequests(connection);
  const { base, authorization } = address;
  const about = (key: string, signal: AbortSignal) => ({
    url: new URL(key, base),
    headers: authorization === undefined ? {} : { authorization },
    signal,
  });

  return {
    maxValue: Number.MAX_SAFE_INTEGER,
    async get(key, length, signal) {
      const response = await requests.get(about(key, signal));
      if (response.status === 200) return readValue(response, length);
      await response.body.discard();
      if (response.status === 404 || response.status === 410) return undefined;
      throw refused('GET', response);
    },
    async put(key, value, signal) {
      const { headers, ...rest } = about(key, signal);
      const body = { ...headers, 'content-type': 'application/octet-stream' };
      const response = await requests.put({ ...rest, headers: body, body: value });
      await response.body.discard();
      if (response.status < 200 || response.status > 299) throw refused('PUT', response);
    },
    async drop(key, signal) {
      const response = await requests.delete(about(key, signal));
      await response.body.discard();
      if (response.status > 299 && response.status !== 404) throw refused('DELETE', response);
    },
    close: requests.close,
  };
}

function refused(method: string, { status }: HttpResponse): Error {
  return new Error(`it answers ${method} with status ${status}`);
}
