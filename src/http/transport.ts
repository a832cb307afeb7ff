/** One HTTP exchange over undici's connection pools: no retries, no redirects, no meaning. */

import type { Dispatcher } from 'undici';
import { ClipError, isClipError } from '../errors.js';
import type { Observer } from '../observer.js';
import { abortError, connectionError, proxyRefusal, unlessAborted } from './errors.js';
import { createLink, type Link } from './link.js';
import type { ConnectionOptions } from './options.js';
import type { ProxyAddress } from './proxy.js';
import { redactUrl } from './redact-url.js';
import { ResponseBody } from './response-body.js';
import { secretHider } from './secrets.js';
import { isUnknownCa } from './tls.js';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Exchange {
  method: Method;
  url: URL;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body?: Uint8Array | undefined;
  observer: Observer;
  signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  status: number;
  /** Names in lower case; a header sent more than once is joined by ", ". */
  headers: Readonly<Record<string, string>>;
  /** Where it came from, after redirects. */
  url: URL;
  body: ResponseBody;
  /** What the server says, or undefined where it repeats a secret that it was sent. */
  hideSecrets(said: string): string | undefined;
}

export interface Transport {
  /** Throws ClipError NETWORK, TIMEOUT or INTERRUPTED. */
  exchange(exchange: Exchange): Promise<HttpResponse>;
  /** Closes all connections at once. */
  close(): Promise<void>;
}

export function createTransport(options: ConnectionOptions): Transport {
  const links = new Map<string, Promise<Link>>();
  let closed = false;

  function linkTo(url: URL): Promise<Link> {
    let link = links.get(url.origin);
    if (link === undefined) {
      link = createLink(url, options);
      links.set(url.origin, link);
    }
    return link;
  }

  return {
    async exchange(exchange) {
      const { method, url, observer, signal } = exchange;
      if (signal?.aborted === true) throw abortError(signal);
      // What was under way when the source was closed must not open connections again by trying anew.
      if (closed) throw new ClipError('INTERRUPTED', 'the connection to the registry was closed');
      observer.emit({ type: 'request', method, url: redactUrl(url) });
      const link = await unlessAborted(linkTo(url), signal);
      for (;;) {
        const { dispatcher } = link;
        try {
          return await dispatch(dispatcher, exchange, { ...options, proxy: link.proxy });
        } catch (error) {
          // Nothing was sent yet: the handshake comes first.
          if (!isClipError(error, 'NETWORK') || !isUnknownCa(error.cause) || !link.trustMore(dispatcher))
            throw error;
        }
      }
    },
    async close() {
      closed = true;
      const closing = [...links.values()].map(async (link) => (await link).dispatcher.destroy());
      links.clear();
      await Promise.allSettled(closing);
    },
  };
}

interface Settings extends Pick<ConnectionOptions, 'headersTimeout' | 'idleTimeout'> {
  proxy: ProxyAddress | undefined;
}

/** As the library says it. */
const NO_ANSWER = Object.assign(new Error('no final status came'), { code: 'UND_ERR_HEADERS_TIMEOUT' });

function dispatch(dispatcher: Dispatcher, exchange: Exchange, settings: Settings): Promise<HttpResponse> {
  const { proxy } = settings;
  const { method, url, signal, observer } = exchange;
  return new Promise((resolve, reject) => {
    let body: ResponseBody | undefined;
    let controller: Dispatcher.DispatchController | undefined;
    let late: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      const error = abortError(signal!);
      controller?.abort(error);
      finish(error);
    };
    const finish = (error?: Error): void => {
      clearTimeout(late);
      signal?.removeEventListener('abort', onAbort);
      if (error === undefined) body?.end();
      else if (body !== undefined) body.fail(error);
      else reject(error);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    dispatcher.dispatch(
      {
        origin: url.origin,
        method,
        path: url.pathname + url.search,
        headers: { ...exchange.headers },
        body: exchange.body === undefined ? null : exchange.body,
        // A request that is not idempotent must not be sent down a connection that may just be closing.
        idempotent: method === 'GET' || method === 'HEAD',
        headersTimeout: settings.headersTimeout,
        bodyTimeout: settings.idleTimeout,
      },
      {
        onRequestStart(started) {
          controller = started;
          if (signal?.aborted === true) started.abort(abortError(signal));
        },
        onResponseStart(started, status, headers) {
          if (status < 200) {
            // Each of these would start the library's own timer anew.
            late ??= setTimeout(() => started.abort(NO_ANSWER), settings.headersTimeout);
            return;
          }
          clearTimeout(late);
          if (status === 407 && proxy !== undefined) return started.abort(proxyRefusal(proxy, status));
          body = new ResponseBody(started, settings.idleTimeout);
          resolve({ status, headers: joinHeaders(headers), url, body, hideSecrets: secretHider(exchange) });
        },
        onResponseData(_, chunk) {
          observer.emit({ type: 'fetched', bytes: chunk.length });
          body?.push(chunk);
        },
        onResponseEnd() {
          finish();
        },
        onResponseError(_, error) {
          finish(connectionError(error, url, proxy));
        },
      },
    );
  });
}

function joinHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined)
      joined[name.toLowerCase()] = typeof value === 'string' ? value : value.join(', ');
  }
  return joined;
}
