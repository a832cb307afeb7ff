/** One HTTP exchange over undici's connection pools: no retries, no redirects, no meaning. */

import { createRequire } from 'node:module';
import type { Dispatcher, Pool } from 'undici';
import { ClipError } from '../errors.js';
import type { Observer } from '../observer.js';
import { abortError, connectionError } from './errors.js';
import type { ConnectionOptions } from './options.js';
import { redactUrl } from './redact-url.js';
import { ResponseBody } from './response-body.js';

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
}

export interface Transport {
  /** Throws ClipError NETWORK, TIMEOUT or INTERRUPTED. */
  exchange(exchange: Exchange): Promise<HttpResponse>;
  /** Closes all connections at once. */
  close(): Promise<void>;
}

/** Connections per origin: enough for parallel spans, few enough not to be taken for an attack. */
const CONNECTIONS = 8;
const MAX_HEADERS = 64 << 10;

type PoolConstructor = new (origin: string, options: Pool.Options) => Pool;

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

export function createTransport(options: ConnectionOptions): Transport {
  const pools = new Map<string, Pool>();
  let PoolClass: PoolConstructor | undefined;
  let closed = false;

  function poolFor(origin: string): Pool {
    let pool = pools.get(origin);
    if (pool === undefined) {
      PoolClass ??= loadPool();
      pool = new PoolClass(origin, {
        connections: CONNECTIONS,
        headersTimeout: options.headersTimeout,
        bodyTimeout: options.idleTimeout,
        maxHeaderSize: MAX_HEADERS,
        connect: { timeout: options.connectTimeout, rejectUnauthorized: !options.insecure },
      });
      pools.set(origin, pool);
    }
    return pool;
  }

  return {
    async exchange(exchange) {
      if (exchange.signal?.aborted === true) throw abortError(exchange.signal);
      // What was under way when the source was closed must not open connections again by trying anew.
      if (closed) throw new ClipError('INTERRUPTED', 'the connection to the registry was closed');
      return await dispatch(poolFor(exchange.url.origin), exchange);
    },
    async close() {
      closed = true;
      const closing = [...pools.values()].map((pool) => pool.destroy());
      pools.clear();
      await Promise.allSettled(closing);
    },
  };
}

function dispatch(pool: Pool, exchange: Exchange): Promise<HttpResponse> {
  const { method, url, signal, observer } = exchange;
  return new Promise((resolve, reject) => {
    let body: ResponseBody | undefined;
    let controller: Dispatcher.DispatchController | undefined;
    const onAbort = (): void => {
      const error = abortError(signal!);
      controller?.abort(error);
      finish(error);
    };
    const finish = (error?: Error): void => {
      signal?.removeEventListener('abort', onAbort);
      if (error === undefined) body?.end();
      else if (body !== undefined) body.fail(error);
      else reject(error);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    observer.emit({ type: 'request', method, url: redactUrl(url) });
    pool.dispatch(
      {
        method,
        path: url.pathname + url.search,
        headers: { ...exchange.headers },
        body: exchange.body === undefined ? null : exchange.body,
        // A request that is not idempotent must not be sent down a connection that may just be closing.
        idempotent: method === 'GET' || method === 'HEAD',
      },
      {
        onRequestStart(started) {
          controller = started;
          if (signal?.aborted === true) started.abort(abortError(signal));
        },
        onResponseStart(started, status, headers) {
          if (status < 200) return;
          body = new ResponseBody(started);
          resolve({ status, headers: joinHeaders(headers), url, body });
        },
        onResponseData(_, chunk) {
          observer.emit({ type: 'fetched', bytes: chunk.length });
          body?.push(chunk);
        },
        onResponseEnd() {
          finish();
        },
        onResponseError(_, error) {
          finish(connectionError(error, url));
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
