/** What a registry's login is. Never printed, never stored. */
export type Credentials =
  | { kind: 'password'; username: string; password: string }
  /** An OAuth2 refresh token (`identitytoken`). */
  | { kind: 'identity'; token: string }
  /** A bearer token to be sent as it is (`registrytoken`). */
  | { kind: 'bearer'; token: string };

/** Finds the login for a repository; undefined means anonymous. Asked only when a registry wants one. */
export type CredentialFinder = (registry: string, repository: string) => Promise<Credentials | undefined>;

export function basicAuthorization(credentials: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`, 'utf8').toString('base64')}`;
}
