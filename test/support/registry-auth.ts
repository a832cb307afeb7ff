/** Logins of the test registry: basic, or bearer tokens from its own token server (`/token`). */

import { randomBytes } from 'node:crypto';
import type { Reply } from './registry-faults.js';

export type RegistryAuth =
  | { kind: 'basic'; username: string; password: string }
  /** Without a user anybody gets a token. `identity` is a refresh token that is taken too. */
  | { kind: 'token'; username?: string; password?: string; identity?: string; expiresIn?: number };

export interface AuthServer {
  /** A 401 to send, or undefined if the request may pass. */
  check(authorization: string | undefined, where: { origin: string; scope: string }): Reply | undefined;
  /** Answers the token endpoint. */
  token(request: { method: string; url: URL; authorization: string | undefined; body: string }): Reply;
  /** Every token that was issued is refused from now on. */
  revoke(): void;
  issued: number;
}

export function createAuthServer(auth: RegistryAuth | undefined): AuthServer {
  const tokens = new Map<string, { expires: number; scope: string }>();
  const server: AuthServer = {
    issued: 0,
    revoke: () => tokens.clear(),
    check(authorization, { origin, scope }) {
      if (auth === undefined) return undefined;
      if (auth.kind === 'basic') {
        if (authorization === basic(auth.username, auth.password)) return undefined;
        return unauthorized('Basic realm="test"');
      }
      const token = tokens.get(authorization?.replace(/^Bearer /, '') ?? '');
      if (token !== undefined && token.expires > Date.now() && covers(token.scope, scope)) return undefined;
      const error = token === undefined && authorization === undefined ? '' : ',error="invalid_token"';
      return unauthorized(`Bearer realm="${origin}/token",service="test-registry",scope="${scope}"${error}`);
    },
    token({ method, url, authorization, body }) {
      if (auth?.kind !== 'token') return json(404, {});
      const form = method === 'POST' ? new URLSearchParams(body) : url.searchParams;
      const byIdentity =
        method === 'POST' &&
        form.get('grant_type') === 'refresh_token' &&
        auth.identity !== undefined &&
        form.get('refresh_token') === auth.identity;
      const open = auth.username === undefined && auth.identity === undefined && authorization === undefined;
      const byPassword =
        auth.username !== undefined && authorization === basic(auth.username, auth.password ?? '');
      if (!byIdentity && !open && !byPassword) {
        return json(401, { errors: [{ code: 'UNAUTHORIZED', message: 'incorrect username or password' }] });
      }
      const value = randomBytes(24).toString('base64url');
      const life = auth.expiresIn ?? 300;
      tokens.set(value, { expires: Date.now() + life * 1000, scope: form.get('scope') ?? '' });
      server.issued++;
      return json(200, { [method === 'POST' ? 'access_token' : 'token']: value, expires_in: life });
    },
  };
  return server;
}

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

function unauthorized(challenge: string): Reply {
  const body = { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] };
  return json(401, body, { 'www-authenticate': challenge });
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** A token may do what its scope says, and less. */
function covers(held: string, asked: string): boolean {
  const [name, actions] = split(asked);
  const [heldName, heldActions] = split(held);
  return name === heldName && actions.every((action) => heldActions.includes(action));
}

function split(scope: string): [name: string, actions: string[]] {
  const colon = scope.lastIndexOf(':');
  return [scope.slice(0, colon), scope.slice(colon + 1).split(',')];
}
