/** The one HTTP client: retries of what is safe to repeat, redirects without leaks, over `transport.ts`. */

import { ClipError } from '../errors.js';
import { silentObserver } from '../observer.js';
import { giveUp, isRetryable } from './errors.js';
import type { ConnectionOptions } from './options.js';
import { redactUrl } from './redact-url.js';
import { backoff, isTransientStatus, MAX_RETRY_AFTER, parseRetryAfter, pause } from './retry.js';
import { createTransport, type Exchange, type HttpResponse } from './transport.js';

export interface HttpRequest extends Pick<Exchange, 'method' | 'url' | 'body' | 'signal'> {
  /** Names in lower case. `authorization` and the session token of S3 never leave the URL's own origin. */
  headers?: Readonly<Record<string, string>>;
  observer?: Exchange['observer'] | undefined;
  /** A request that changes nothing although its method is not GET or HEAD: it may be sent again. */
  isSafe?: boolean | undefined;
  /** Attempts in all, instead of the connection's `tries`. */
  tries?: number | undefined;
  /** Milliseconds that a server may ask to be waited for (Retry-After); where it asks for more, its answer is given. Default 30,000. */
  patience?: number | undefined;
  /** Failures that are not tried again here, because the caller knows better what to do. */
  notRetried?: ((error: unknown) => boolean) | undefined;
}

export interface HttpClient {
  /**
   * The response, whatever its status. GET and HEAD are tried up to `tries` times (failed connections, 408, 429, 5xx) and
   * follow up to 10 redirects. Throws ClipError NETWORK, TIMEOUT, REGISTRY (redirects) or INTERRUPTED.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

const MAX_REDIRECTS = 10;
const SECRETS = new Set(['authorization', 'x-amz-security-token']);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export function createHttpClient(options: ConnectionOptions): HttpClient {
  const transport = createTransport(options);

  async function request(request: HttpRequest): Promise<HttpResponse> {
    const safe = request.method === 'GET' || request.method === 'HEAD';
    const tries = (request.isSafe ?? safe) ? Math.max(1, request.tries ?? options.tries) : 1;
    for (let attempt = 1; ; attempt++) {
      let delay = backoff(attempt, options.retryDelay);
      try {
        const response = await follow(request, safe ? MAX_REDIRECTS : 0);
        if (!isTransientStatus(response.status) || attempt >= tries) return response;
        const asked = parseRetryAfter(response.headers['retry-after']);
        if (asked !== undefined && asked > (request.patience ?? MAX_RETRY_AFTER)) return response;
        delay = Math.max(delay, asked ?? 0);
        await response.body.discard();
      } catch (error) {
        if (!isRetryable(error) || attempt >= tries || request.notRetried?.(error) === true)
          throw giveUp(error);
      }
      await pause(delay, request.signal);
    }
  }

  async function follow(request: HttpRequest, limit: number): Promise<HttpResponse> {
    const seen = new Set<string>();
    let url = request.url;
    let headers: Record<string, string> = {
      'user-agent': 'clip',
      'accept-encoding': 'identity',
      ...request.headers,
    };
    for (;;) {
      seen.add(url.href);
      const response = await transport.exchange({
        method: request.method,
        url,
        headers,
        body: request.body,
        observer: request.observer ?? silentObserver,
        signal: request.signal,
      });
      const location = response.headers.location;
      if (limit === 0 || !REDIRECTS.has(response.status) || location === undefined) return response;
      await response.body.discard();
      const next = redirectTarget(url, location, options);
      if (seen.has(next.href)) throw redirectError(url, 'redirects in a loop');
      if (seen.size > limit) throw redirectError(url, `redirects more than ${limit} times`);
      if (next.origin !== url.origin) {
        // A presigned URL's host is not the registry: it must never see the login.
        headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !SECRETS.has(name)));
      }
      url = next;
    }
  }

  return { request, close: () => transport.close() };
}

function redirectTarget(from: URL, location: string, options: ConnectionOptions): URL {
  if (!URL.canParse(location, from.href)) throw redirectError(from, 'redirects to an invalid URL');
  const target = new URL(location, from.href);
  target.hash = '';
  target.username = '';
  target.password = '';
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw redirectError(from, `redirects to ${JSON.stringify(target.protocol)}`);
  }
  if (from.protocol === 'https:' && target.protocol === 'http:' && !options.plainHttp) {
    throw redirectError(
      from,
      `redirects from HTTPS to plain HTTP (${redactUrl(target)})`,
      'the registry is misconfigured: its storage has to be reached by HTTPS too',
    );
  }
  return target;
}

function redirectError(url: URL, what: string, hint = 'the registry is misconfigured'): ClipError {
  return new ClipError('REGISTRY', `${redactUrl(url)} ${what}`, { hint });
}

/** Reads a body of at most `limit` bytes. Throws LIMIT above it, or as `ResponseBody.all`; `what` names the document. */
export async function readBody(response: HttpResponse, limit: number, what: string): Promise<Uint8Array> {
  const bytes = await response.body.all(limit);
  if (bytes) return bytes;
  throw new ClipError('LIMIT', `${what} is larger than ${limit} bytes`, {
    hint: 'is this a registry, and an image? docs/security.md lists the limits',
  });
}
