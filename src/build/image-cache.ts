import { createMemoryTier } from '../cache/memory.js';
import type { CacheTier } from '../cache/tier.js';
import { createTieredCache, type TieredCache } from '../cache/tiered.js';
import type { OpenOptions } from './options.js';

/** The tiers that the options ask for. The disk tier's code is loaded only where there is one. */
export async function openCache(options: OpenOptions): Promise<TieredCache> {
  const { memoryCache, diskCache, useCache, cacheDir, observer } = options;
  const lower: CacheTier[] = [];
  if (useCache && diskCache > 0) {
    const { createDiskTier } = await import('../cache/disk.js');
    lower.push(createDiskTier({ cacheDir, quota: diskCache, observer }));
  }
  return createTieredCache({ memory: createMemoryTier(memoryCache, observer), lower, observer });
}
