import type { ConnectionOptions } from '../../http/options.js';
import type { Observer } from '../../observer.js';
import type { CacheTier } from '../tier.js';
import { parseRemoteAddress, type RemoteAddress } from './address.js';
import type { RemoteEngine } from './engine.js';
import { createRemoteTier } from './remote-tier.js';
import { s3Settings } from './s3-settings.js';

export interface OpenRemoteOptions {
  /** Longest wait of a read, milliseconds. */
  timeout: number;
  /** Seconds that an engine with a time to live keeps an entry. */
  ttl: number;
  connection: ConnectionOptions;
  observer: Observer;
  /** Where the AWS variables are. */
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
}

/**
 * The remote tier at a URL (docs/cache.md). Nothing is connected before the first lookup that the tiers above could not
 * answer. Throws ClipError USAGE for a URL or variables that cannot be used; a server that cannot be reached is no error.
 */
export function openRemoteTier(url: string, options: OpenRemoteOptions): CacheTier {
  const address = parseRemoteAddress(url);
  const { timeout, observer, signal } = options;
  const open = engineOf(address, options);
  return createRemoteTier({ open, shown: address.shown, timeout, observer, signal });
}

function engineOf(address: RemoteAddress, options: OpenRemoteOptions): () => Promise<RemoteEngine> {
  const { connection, ttl, env } = options;
  switch (address.kind) {
    case 'redis':
      return async () => {
        const { createRedisEngine } = await import('./redis-engine.js');
        const { connectTimeout, insecure } = connection;
        return createRedisEngine(address, { connectTimeout, insecure, ttl });
      };
    case 's3': {
      const settings = s3Settings(address, env);
      return async () => {
        const { createS3Engine } = await import('./s3-engine.js');
        return createS3Engine(settings, connection);
      };
    }
    case 'http':
      return async () => {
        const { createHttpEngine } = await import('./http-engine.js');
        return createHttpEngine(address, connection);
      };
  }
}
