import { createHttpClient } from '../../http/client.js';
import type { ConnectionOptions } from '../../http/options.js';
import type { RegistryReference } from '../../reference/image-ref.js';
import type { CredentialFinder } from '../credentials/credentials.js';
import { createCredentialFinder } from '../credentials/find-credentials.js';
import { createTokenKeeper } from '../credentials/kept-tokens.js';
import { createRepositoryApi, type RepositoryApi } from './api.js';
import { createAuthorizer } from './authorizer.js';
import { createEndpoint } from './endpoint.js';

export interface RegistryOptions {
  connection: ConnectionOptions;
  findCredentials?: CredentialFinder;
}

/** Connects to one repository, to do `actions` (`pull` or `pull,push`). Nothing is sent before the first request. */
export function openRepository(
  { registry, repository }: RegistryReference,
  { connection, findCredentials }: RegistryOptions,
  actions: 'pull' | 'pull,push',
): { api: RepositoryApi; close(): Promise<void> } {
  const client = createHttpClient(connection);
  const authorizer = createAuthorizer({
    client,
    registry,
    repository,
    actions,
    findCredentials: findCredentials ?? createCredentialFinder(),
    connection,
    keeper: connection.keepToken ? createTokenKeeper(connection.environment ?? process.env) : undefined,
  });
  const endpoint = createEndpoint(client, registry, connection);
  const api = createRepositoryApi(client, authorizer, { endpoint, repository });
  return { api, close: () => client.close() };
}
