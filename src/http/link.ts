/** How an origin is reached: directly or through a proxy, trusting which CAs. */

import type { Dispatcher } from 'undici';
import { loadPool, loadUndici } from './load-undici.js';
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

const CONNECTIONS = 8;
const MAX_HEADERS = 64 << 10;

function common({ connections = CONNECTIONS }: ConnectionOptions) {
  return { connections, maxHeaderSize: MAX_HEADERS };
}

/** Throws USAGE for a wrong proxy variable, IO for certificates that cannot be read. */
export async function createLink(url: URL, options: ConnectionOptions): Promise<Link> {
  const proxy = proxyFor(url, options.environment ?? process.env);
  const settings = linkSettings(url, proxy?.url, options);
  const first = settings.next().value ?? {};
  const via = proxy ?? (await loadPool());
  let dispatcher = connect(first);

  function connect({ tls, proxyTls }: LinkSettings): Dispatcher {
    const { connectTimeout: timeout } = options;
    const secure = { timeout, ...(tls && mutable(tls)) };
    return typeof via === 'function'
      ? new via(url.origin, { ...common(options), connect: secure })
      : throughProxy(via, { secure, proxyTls, options });
  }

  return {
    get dispatcher() {
      return dispatcher;
    },
    proxy,
    trustMore(failed) {
      if (failed !== dispatcher) return true;
      const next = settings.next();
      if (next.done === true) return false;
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

interface LinkSettings {
  /** Of the registry; undefined where it speaks plain HTTP. */
  tls?: TlsSettings | undefined;
  /** Of a proxy that is itself spoken to over TLS. */
  proxyTls?: TlsSettings | undefined;
}

/** What to try one after the other. A failed handshake does not tell which of the two servers was not trusted: hence all pairs. */
function* linkSettings(
  url: URL,
  proxy: URL | undefined,
  options: ConnectionOptions,
): Generator<LinkSettings, void, undefined> {
  for (const proxyTls of serverSettings(proxy, options)) {
    for (const tls of serverSettings(url, options)) yield { tls, proxyTls };
  }
}

function serverSettings(
  server: URL | undefined,
  options: ConnectionOptions,
): Iterable<TlsSettings | undefined> {
  return server?.protocol === 'https:' ? tlsSettings(server, options) : [undefined];
}

interface ProxyLink {
  /** For the registry. */
  secure: object;
  proxyTls: TlsSettings | undefined;
  options: ConnectionOptions;
}

function throughProxy(proxy: ProxyAddress, { secure, proxyTls, options }: ProxyLink): Dispatcher {
  const { connectTimeout: timeout, headersTimeout } = options;
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
  return new ProxyAgent({
    ...common(options),
    uri: url.href,
    // Plain HTTP is asked of the proxy itself; only TLS has to be tunnelled.
    proxyTunnel: false,
    requestTls: secure,
    proxyTls: { timeout, ...(proxyTls && mutable(proxyTls)) },
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
