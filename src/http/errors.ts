/** What goes wrong on a connection, in words for a user. */

import { ClipError, isClipError } from '../errors.js';
import { abortable } from './abortable.js';
import type { ProxyAddress } from './proxy.js';
import { redactUrl } from './redact-url.js';

const REFUSED = 'is the registry running, and is the port right?';
const TLS_HINT =
  'name the CA with SSL_CERT_FILE, or put it into certs.d (docs/registries.md); --insecure skips verification';

type Explanation = readonly [code: 'NETWORK' | 'TIMEOUT', text: string, hint: string];

const EXPLAINED: Readonly<Record<string, Explanation>> = {
  ECONNREFUSED: ['NETWORK', 'connection refused', REFUSED],
  ECONNRESET: ['NETWORK', 'the connection was reset', 'try again; a proxy or the registry closed it'],
  EPIPE: ['NETWORK', 'the connection was closed', 'try again; a proxy or the registry closed it'],
  EHOSTUNREACH: ['NETWORK', 'host unreachable', 'check the network'],
  ENETUNREACH: ['NETWORK', 'network unreachable', 'check the network'],
  EADDRNOTAVAIL: ['NETWORK', 'address not available', 'check the host and the network'],
  ENOTFOUND: ['NETWORK', 'unknown host', 'check the spelling of the registry and the DNS'],
  EAI_AGAIN: ['NETWORK', 'the host name could not be looked up', 'check the network and the DNS'],
  ETIMEDOUT: ['TIMEOUT', 'connecting took too long', 'check the network, or raise the connect timeout'],
  UND_ERR_CONNECT_TIMEOUT: [
    'TIMEOUT',
    'connecting took too long',
    'check the network, or raise the connect timeout',
  ],
  UND_ERR_HEADERS_TIMEOUT: ['TIMEOUT', 'no answer came in time', 'try again, or raise the headers timeout'],
  UND_ERR_BODY_TIMEOUT: ['TIMEOUT', 'the transfer stalled', 'try again, or raise the idle timeout'],
  UND_ERR_SOCKET: ['NETWORK', 'the connection was cut off', 'try again; a proxy or the registry closed it'],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['NETWORK', 'the body is not as long as announced', 'try again'],
  UND_ERR_HEADERS_OVERFLOW: ['NETWORK', 'the answer has too large headers', 'is this a registry?'],
  CERT_HAS_EXPIRED: [
    'NETWORK',
    'the TLS certificate has expired',
    'renew it, or use --insecure to skip verification',
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['NETWORK', 'the TLS certificate is self-signed', TLS_HINT],
  SELF_SIGNED_CERT_IN_CHAIN: ['NETWORK', 'the TLS certificate is signed by an unknown CA', TLS_HINT],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['NETWORK', 'the TLS certificate is signed by an unknown CA', TLS_HINT],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['NETWORK', 'the TLS certificate is signed by an unknown CA', TLS_HINT],
  ERR_TLS_CERT_ALTNAME_INVALID: ['NETWORK', 'the TLS certificate is for another host', TLS_HINT],
  EPROTO: ['NETWORK', 'the TLS handshake failed', 'if the registry speaks plain HTTP, use --plain-http'],
  ERR_SSL_WRONG_VERSION_NUMBER: [
    'NETWORK',
    'this is no TLS server',
    'if the registry speaks plain HTTP, use --plain-http',
  ],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: [
    'NETWORK',
    'this is no TLS server',
    'if the registry speaks plain HTTP, use --plain-http',
  ],
};

/** Turns a failure of the HTTP layer into a ClipError NETWORK or TIMEOUT; ClipErrors stay as they are. */
export function connectionError(error: unknown, url: URL, proxy?: ProxyAddress): ClipError {
  if (error instanceof ClipError) return error;
  const code = errorCode(error);
  const known = EXPLAINED[code];
  const where = proxy === undefined ? redactUrl(url) : `${redactUrl(url)} (through the proxy ${proxy.shown})`;
  const refusal = proxy && /^Proxy .*\(([0-9]{3})\)/.exec(errorMessage(error))?.[1];
  if (proxy !== undefined && refusal !== undefined) return proxyRefusal(proxy, Number(refusal));
  if (known !== undefined) {
    const [clipCode, text, hint] = known;
    return new ClipError(clipCode, `${where}: ${text}`, { hint, cause: error });
  }
  const text = code.startsWith('HPE_')
    ? 'the answer is not HTTP'
    : `the connection failed (${code || 'unknown'})`;
  const hint = 'is this a registry, and does it speak HTTPS (--plain-http, if not)?';
  return new ClipError('NETWORK', `${where}: ${text}`, { hint, cause: error });
}

/** A proxy that does not let a request through. */
export function proxyRefusal(proxy: ProxyAddress, status: number): ClipError {
  const what = status === 407 ? 'wants a login' : `answered with status ${status}`;
  return giveUp(
    new ClipError('NETWORK', `the proxy ${proxy.shown} ${what}`, {
      hint: 'check HTTPS_PROXY, HTTP_PROXY and NO_PROXY; a login is written http://USER:PASSWORD@HOST:PORT',
    }),
  ) as ClipError;
}

function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : '';
}

/** The system's or library's code. With several addresses tried, the first failure's (RFC 8305 connects to all). */
export function errorCode(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return errorCode(error.errors[0]);
  if (typeof error !== 'object' || error === null) return '';
  // undici's parser errors do not all carry llhttp's code.
  if ('name' in error && error.name === 'HTTPParserError') return 'HPE_INVALID';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const cause = 'cause' in error ? errorCode(error.cause) : '';
  return /^UND_ERR_(?:SOCKET|PRX_TLS)$/.test(code) && cause !== '' ? cause : code || cause;
}

/** Certificates that do not verify and hosts that do not exist will not be better the next time. */
const PERMANENT =
  /^(?:CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_|ERR_SSL_|EPROTO|ENOTFOUND|HPE_|UND_ERR_HEADERS_OVERFLOW)/;

/** Failures that were tried often enough below: who asks above must not multiply the attempts. */
const exhausted = new WeakSet<object>();

/** Marks a failure as not worth another attempt; returns it. */
export function giveUp(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) exhausted.add(error);
  return error;
}

/** Whether the same request may succeed when it is sent again: the connection failed, and not for good. */
export function isRetryable(error: unknown): boolean {
  if (typeof error === 'object' && error !== null && exhausted.has(error)) return false;
  return isPassing(error);
}

/** Whether the connection failed, and not for good; however often it was tried. */
export function isPassing(error: unknown): boolean {
  if (isClipError(error, 'TIMEOUT')) return true;
  return isClipError(error, 'NETWORK') && !PERMANENT.test(errorCode(error.cause));
}

/** As `abortable`, but what it throws for the signal is always a ClipError (`abortError`). */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await abortable(work, signal);
  } catch (error) {
    throw signal?.aborted === true && error === signal.reason ? abortError(signal) : error;
  }
}

/** What an aborted operation throws: the signal's own ClipError, else INTERRUPTED. */
export function abortError(signal: AbortSignal): ClipError {
  if (signal.reason instanceof ClipError) return signal.reason;
  return new ClipError('INTERRUPTED', 'interrupted', { cause: signal.reason });
}
