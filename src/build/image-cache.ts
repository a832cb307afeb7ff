import { createMemoryTier } from '../cache/memory.js';
import type { CacheTier } from '../cache/tier.js';
import { createTieredCache, type TieredCache } from '../cache/tiered.js';
import { DEFAULT_REMOTE_TIMEOUT, DEFAULT_REMOTE_TTL, type OpenOptions } from './options.js';

/**
 * The tiers that the options ask for. The code of the disk and remote tiers is loaded only where there is one. Throws ClipError
 * USAGE when the remote cache's URL or its variables cannot be used.
 */
export async function openCache(options: OpenOptions): Promise<TieredCache> {
  const { memoryCache, diskCache, useCache, cacheDir, observer } = options;
  const lower: CacheTier[] = [];
  if (useCache && diskCache > 0) {
    const { createDiskTier } = await import('../cache/disk.js');
    lower.push(createDiskTier({ cacheDir, quota: diskCache, observer }));
  }
  if (useCache && options.remoteCache !== undefined && !options.offline) {
    const { openRemoteTier } = await import('../cache/remote/open-remote.js');
    const { remoteTimeout = DEFAULT_REMOTE_TIMEOUT, remoteTtl = DEFAULT_REMOTE_TTL } = options;
    const tier = openRemoteTier(options.remoteCache, {
      timeout: remoteTimeout,
      ttl: Math.max(1, Math.ceil(remoteTtl / 1000)),
      connection: options.connection,
      observer,
      env: process.env,
      signal: options.signal,
    });
    lower.push(tier);
  }
  return createTieredCache({ memory: createMemoryTier(memoryCache, observer), lower, observer });
}
