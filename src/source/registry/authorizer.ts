/** Answers a registry's challenges for one repository: anonymous, basic, bearer; remembers what worked. */

import { ClipError } from '../../errors.js';
import type { HttpClient } from '../../http/client.js';
import { unlessAborted } from '../../http/errors.js';
import type { ConnectionOptions } from '../../http/options.js';
import { basicAuthorization, type CredentialFinder } from '../credentials/credentials.js';
import type { TokenKeeper } from '../credentials/kept-tokens.js';
import type { ReadOptions } from '../source.js';
import { type Challenge, parseChallenges } from './challenge.js';
import { loginHint } from './registry-error.js';
import { fetchToken, type Token } from './token.js';

export interface Authorizer {
  /** The `Authorization` to send, undefined while the registry has asked for none. Renews a token that has run out. */
  current(options: ReadOptions): Promise<string | undefined>;
  /**
   * Answers a 401 that came although `sent` was sent. Resolves when it is worth trying again; throws UNAUTHORIZED if nothing
   * is left to try. Requests that fail together share one renewal.
   */
  challenged(header: string | undefined, sent: string | undefined, options: ReadOptions): Promise<void>;
}

export interface AuthorizerOptions {
  client: HttpClient;
  registry: string;
  repository: string;
  /** `pull` or `pull,push`. */
  actions: string;
  findCredentials: CredentialFinder;
  connection: ConnectionOptions;
  /** Has tokens of earlier processes. */
  keeper?: TokenKeeper | undefined;
}

export function createAuthorizer(settings: AuthorizerOptions): Authorizer {
  const { registry, repository, client, connection, keeper } = settings;
  let challenge: Challenge | undefined;
  let authorization: string | undefined;
  let token: Token | undefined;
  let renewing: Promise<void> | undefined;
  let recalling: Promise<void> | undefined;

  /** Begins with the token of an earlier process, if there is one. */
  async function recall(): Promise<void> {
    if (!keeper) return;
    // What is wrong with the login is said when it is needed.
    const credentials = await settings.findCredentials(registry, repository).catch(() => null);
    if (credentials === null || authorization !== undefined) return;
    token = keeper.recall({ registry, repository, actions: settings.actions, credentials });
    authorization = token && `Bearer ${token.value}`;
  }

  async function authorize(options: ReadOptions): Promise<void> {
    const credentials = await settings.findCredentials(registry, repository);
    if (challenge?.scheme === 'basic') {
      if (credentials?.kind !== 'password') throw unauthorized('wants a user and a password');
      authorization = basicAuthorization(credentials);
      return;
    }
    if (credentials?.kind === 'bearer') {
      authorization = `Bearer ${credentials.token}`;
      return;
    }
    const { realm, service, scope } = challenge!.parameters;
    if (realm === undefined) throw unauthorized('wants a token but names no token server');
    const wanted = `repository:${repository}:${settings.actions}`;
    const request = { realm, service, scope: mergeScope(scope, wanted), credentials, registry };
    token = await fetchToken(client, request, { ...options, connection });
    keeper?.keep({ registry, repository, actions: settings.actions, credentials }, token);
    authorization = `Bearer ${token.value}`;
  }

  /** One renewal at a time; who comes meanwhile waits for it. It runs without a signal: who gives up takes down nobody else. */
  async function renew({ observer, signal }: ReadOptions): Promise<void> {
    renewing ??= authorize(observer === undefined ? {} : { observer }).finally(() => {
      renewing = undefined;
    });
    await unlessAborted(renewing, signal);
  }

  function unauthorized(what: string): ClipError {
    return new ClipError('UNAUTHORIZED', `${registry} ${what}`, { hint: loginHint(registry) });
  }

  return {
    async current(options) {
      recalling ??= recall();
      await recalling;
      if (token !== undefined && Date.now() >= token.expires) {
        if (challenge) await renew(options);
        // The registry has not said yet where to get another.
        else token = authorization = undefined;
      }
      return authorization;
    },
    async challenged(header, sent, options) {
      // Somebody else has renewed it since.
      if (authorization !== sent && authorization !== undefined) return;
      const offered = parseChallenges(header ?? '');
      const chosen =
        offered.find(({ scheme }) => scheme === 'bearer') ?? offered.find(({ scheme }) => scheme === 'basic');
      if (chosen === undefined)
        throw unauthorized('refuses access and names no way to log in that clip knows');
      // A password that was refused will be refused again; a token may have run out.
      if (sent !== undefined && chosen.scheme === 'basic')
        throw unauthorized('refused the user and password');
      challenge = chosen;
      await renew(options);
      if (authorization === sent) throw unauthorized('refused the token');
    },
  };
}

/**
 * What the registry asks for, and what we need in any case: one token serves reading and writing. A registry behind a proxy may know the
 * repository by another name.
 */
function mergeScope(asked: string | undefined, wanted: string): string {
  const colon = wanted.lastIndexOf(':') + 1;
  const prefix = wanted.slice(0, colon);
  const scopes = asked?.split(' ').filter((scope) => scope !== '') ?? [];
  const others = scopes.filter((scope) => !scope.startsWith(prefix));
  const own = [...scopes.filter((scope) => scope.startsWith(prefix)), wanted];
  const actions = own.flatMap((scope) => scope.slice(colon).split(','));
  return [...others, `${prefix}${[...new Set(actions)].join(',')}`].join(' ');
}
