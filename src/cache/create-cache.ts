import type { Observer } from '../observer.js';
import { createDiskTier } from './disk.js';
import { createMemoryTier } from './memory.js';
import { createTieredCache, type TieredCache } from './tiered.js';

export interface CacheOptions {
  /** Folder of the disk tier; undefined: none. */
  cacheDir: string | undefined;
  /** Bytes of the memory tier; 0: none. */
  memoryCache: number;
  /** Bytes of the disk tier; 0: nothing is written. */
  diskCache: number;
  observer: Observer;
}

/** The tiers as the command line's flags describe them. */
export function createCache(options: CacheOptions): TieredCache {
  const { cacheDir, memoryCache, diskCache, observer } = options;
  return createTieredCache({
    memory: memoryCache > 0 ? createMemoryTier(memoryCache, observer) : undefined,
    lower: cacheDir === undefined ? [] : [createDiskTier({ cacheDir, quota: diskCache, observer })],
    observer,
  });
}
