/** Bearer tokens (distribution, token authentication specification; OAuth2 refresh for identity tokens). */

import { ClipError } from '../../errors.js';
import { type HttpClient, type HttpRequest, readBody } from '../../http/client.js';
import { isLoopback } from '../../http/hosts.js';
import type { ConnectionOptions } from '../../http/options.js';
import { redactUrl } from '../../http/redact-url.js';
import { basicAuthorization, type Credentials } from '../credentials/credentials.js';
import type { ReadOptions } from '../source.js';
import { registryError } from './registry-error.js';

const MAX_TOKEN_ANSWER = 1 << 20;
/** The specification's default life of a token, seconds, and how long before its end it is renewed. */
const DEFAULT_LIFE = 60;
const MARGIN = 10_000;

export interface Token {
  value: string;
  /** Milliseconds since the epoch from which on it is not used any more. */
  expires: number;
}

export interface TokenRequest {
  realm: string;
  service: string | undefined;
  /** Several are separated by spaces. */
  scope: string;
  credentials: Credentials | undefined;
  registry: string;
}

/** Fetches a token. Throws UNAUTHORIZED, DENIED, REGISTRY, or what the connection throws. */
export async function fetchToken(
  client: HttpClient,
  request: TokenRequest,
  options: ReadOptions & { connection: ConnectionOptions },
): Promise<Token> {
  const realm = checkRealm(request, options.connection);
  const response = await client.request({ ...tokenRequest(realm, request), ...observed(options) });
  if (response.status !== 200) {
    throw await registryError(response, { what: `a token for ${request.registry}`, login: request.registry });
  }
  return parseToken(await readBody(response, MAX_TOKEN_ANSWER, 'the token server’s answer'), realm);
}

export function observed(options: ReadOptions): Pick<HttpRequest, 'observer' | 'signal'> {
  return { observer: options.observer, signal: options.signal };
}

/** Logins and tokens travel over TLS, unless the user asked for plain HTTP or the server is on this machine. */
function checkRealm(request: TokenRequest, connection: ConnectionOptions): URL {
  if (!URL.canParse(request.realm)) {
    throw new ClipError('REGISTRY', `${request.registry} names an invalid token server`, {
      hint: 'the registry is misconfigured',
    });
  }
  const realm = new URL(request.realm);
  realm.username = '';
  realm.password = '';
  realm.hash = '';
  const plain = realm.protocol === 'http:' && (connection.plainHttp || isLoopback(realm.hostname));
  if (realm.protocol !== 'https:' && !plain) {
    throw new ClipError(
      'REGISTRY',
      `${request.registry} wants logins sent without TLS to ${redactUrl(realm)}`,
      {
        hint: 'if you trust the network, allow it with --plain-http',
      },
    );
  }
  return realm;
}

function tokenRequest(
  realm: URL,
  request: TokenRequest,
): Pick<HttpRequest, 'method' | 'url' | 'headers' | 'body' | 'isSafe'> {
  const { credentials, service, scope } = request;
  if (credentials?.kind === 'identity') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credentials.token,
      client_id: 'clip',
      scope,
      ...(service === undefined ? {} : { service }),
    });
    return {
      method: 'POST',
      isSafe: true,
      url: realm,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: Buffer.from(form.toString()),
    };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const one of scope.split(' ')) url.searchParams.append('scope', one);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (credentials?.kind === 'password') headers.authorization = basicAuthorization(credentials);
  return { method: 'GET', url, headers };
}

function parseToken(bytes: Uint8Array, realm: URL): Token {
  let answer: { token?: unknown; access_token?: unknown; expires_in?: unknown } | null;
  try {
    answer = JSON.parse(Buffer.from(bytes).toString('utf8')) as typeof answer;
  } catch {
    answer = null;
  }
  const value = [answer?.token, answer?.access_token].find((text) => typeof text === 'string' && text !== '');
  // Anything else could not stand in a header, or would smuggle another one in.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
    throw new ClipError('REGISTRY', `the token server ${redactUrl(realm)} answered without a token`, {
      hint: 'the registry is misconfigured',
    });
  }
  const life =
    typeof answer?.expires_in === 'number' && answer.expires_in > 0 ? answer.expires_in : DEFAULT_LIFE;
  const margin = Math.min(MARGIN, life * 500);
  return { value, expires: Date.now() + life * 1000 - margin };
}
