/** How an origin is reached: directly or through a proxy, trusting which CAs. */

import { createRequire } from 'node:module';
import type { Dispatcher, Pool, ProxyAgent } from 'undici';
import type { ConnectionOptions } from './options.js';
import { type ProxyAddress, proxyFor } from './proxy.js';
import { type TlsSettings, tlsSettings } from './tls.js';

export interface Link {
  readonly dispatcher: Dispatcher;
  readonly proxy: ProxyAddress | undefined;
  /**
   * Goes over to the next set of CAs after `failed` did not trust the server. False when there are no more; true at once when
   * somebody else has gone on since.
   */
  trustMore(failed: Dispatcher): boolean;
}

/** Connections per origin: enough for parallel spans, few enough not to be taken for an attack. */
const CONNECTIONS = 8;
const MAX_HEADERS = 64 << 10;

type PoolConstructor = new (origin: string | URL, options: Pool.Options) => Pool;
type ProxyConstructor = new (options: ProxyAgent.Options) => ProxyAgent;

/** Throws USAGE for a wrong proxy variable, IO for certificates that cannot be read. */
export function createLink(url: URL, options: ConnectionOptions): Link {
  const proxy = proxyFor(url, options.environment ?? process.env);
  const settings = url.protocol === 'https:' ? tlsSettings(url, options) : undefined;
  let dispatcher = connect(settings?.next().value ?? undefined);

  function connect(tls: TlsSettings | undefined): Dispatcher {
    const { connectTimeout: timeout, headersTimeout } = options;
    const common = { connections: CONNECTIONS, maxHeaderSize: MAX_HEADERS };
    const secure = tls === undefined ? { timeout } : { timeout, ...mutable(tls) };
    if (proxy === undefined) return new (loadPool())(url.origin, { ...common, connect: secure });
    const PoolClass = loadPool();
    return new (loadProxyAgent())({
      ...common,
      uri: proxy.url.href,
      // Plain HTTP is asked of the proxy itself; only TLS has to be tunnelled.
      proxyTunnel: false,
      requestTls: secure,
      proxyTls: { timeout, rejectUnauthorized: !options.insecure },
      clientFactory: (origin: URL, given: object) => new PoolClass(origin, { ...given, headersTimeout }),
    });
  }

  return {
    get dispatcher() {
      return dispatcher;
    },
    proxy,
    trustMore(failed) {
      if (failed !== dispatcher) return true;
      const next = settings?.next();
      if (next === undefined || next.done === true) return false;
      dispatcher = connect(next.value);
      // Others may still be on their way to the same failure there.
      failed.close().catch(() => {});
      return true;
    },
  };
}

function mutable({ ca, ...rest }: TlsSettings): Omit<TlsSettings, 'ca'> & { ca?: (string | Buffer)[] } {
  return ca === undefined ? rest : { ...rest, ca: [...ca] };
}

/**
 * The pool alone loads in a quarter of the time of the whole library, and only when a request is made:
 * `node -e "require('undici')"` against `node -e "require('undici/lib/dispatcher/pool.js')"`.
 */
function loadPool(): PoolConstructor {
  const require = createRequire(import.meta.url);
  try {
    return require('undici/lib/dispatcher/pool.js') as PoolConstructor;
  } catch {
    return (require('undici') as { Pool: PoolConstructor }).Pool;
  }
}

/** Loaded only where the variables name a proxy. */
function loadProxyAgent(): ProxyConstructor {
  return (createRequire(import.meta.url)('undici') as { ProxyAgent: ProxyConstructor }).ProxyAgent;
}
