/** How an origin is reached: directly or through a proxy, trusting which CAs. */

import { createRequire } from 'node:module';
import type { Dispatcher } from 'undici';
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
const COMMON = { connections: CONNECTIONS, maxHeaderSize: MAX_HEADERS };

type Undici = typeof import('undici');

/** Throws USAGE for a wrong proxy variable, IO for certificates that cannot be read. */
export function createLink(url: URL, options: ConnectionOptions): Link {
  const proxy = proxyFor(url, options.environment ?? process.env);
  const secured = [url, proxy?.url].find((each) => each?.protocol === 'https:');
  const settings = secured && tlsSettings(secured, options);
  let dispatcher = connect(settings?.next().value ?? undefined);

  function connect(tls: TlsSettings | undefined): Dispatcher {
    const { connectTimeout: timeout } = options;
    const secure = tls === undefined ? { timeout } : { timeout, ...mutable(tls) };
    if (proxy !== undefined) return throughProxy(proxy, { tls, secure, options });
    return new (loadPool())(url.origin, { ...COMMON, connect: secure });
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

interface ProxyLink {
  /** Whose CAs are trusted, the proxy's too where it speaks TLS. */
  tls: TlsSettings | undefined;
  /** For the registry. */
  secure: object;
  options: ConnectionOptions;
}

function throughProxy(proxy: ProxyAddress, { tls, secure, options }: ProxyLink): Dispatcher {
  const { connectTimeout: timeout, headersTimeout, insecure } = options;
  // All of it from one place: a ProxyAgent calls what the whole library adds to its pools.
  const { Pool, ProxyAgent, Socks5ProxyAgent, buildConnector } = loadUndici();
  const { url } = proxy;
  if (url.protocol === 'socks5:') {
    // The types do not know of `requestTls`.
    const settings: object = {
      connect: buildConnector({ timeout }),
      requestTls: secure,
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    };
    return withoutWarning(() => new Socks5ProxyAgent(url, settings));
  }
  const trusted = { rejectUnauthorized: !insecure, ...(tls?.ca && { ca: tls.ca }) };
  return new ProxyAgent({
    ...COMMON,
    uri: url.href,
    // Plain HTTP is asked of the proxy itself; only TLS has to be tunnelled.
    proxyTunnel: false,
    requestTls: secure,
    proxyTls: { timeout, ...mutable(trusted) },
    clientFactory: (origin: URL, given: object) => new Pool(origin, { ...given, headersTimeout }),
  });
}

/** undici says of SOCKS5 that it is an experiment: no news for who wants to read a file. */
function withoutWarning<T>(make: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return make();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/**
 * The pool alone loads in a quarter of the time of the whole library, and only when a request is made:
 * `node -e "require('undici')"` against `node -e "require('undici/lib/dispatcher/pool.js')"`.
 */
function loadPool(): Undici['Pool'] {
  const require = createRequire(import.meta.url);
  try {
    return require('undici/lib/dispatcher/pool.js') as Undici['Pool'];
  } catch {
    return loadUndici().Pool;
  }
}

/** Loaded only where the variables name a proxy. */
function loadUndici(): Undici {
  return createRequire(import.meta.url)('undici') as Undici;
}
