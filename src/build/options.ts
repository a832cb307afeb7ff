import type { ConnectionOptions } from '../http/options.js';
import type { Observer } from '../observer.js';
import type { Strategy } from '../read/strategy.js';

/** What opening an image takes; the command line's everywhere-flags, validated. Sizes are bytes, times milliseconds. */
export interface OpenOptions {
  /** Folder of the disk tier and of the index store. */
  cacheDir: string;
  /** False drops the disk and remote tiers (not the index store). */
  useCache: boolean;
  memoryCache: number;
  diskCache: number;
  /** URL of a cache that workers share (docs/cache.md): `redis://`, `s3://`, `https://`, …. */
  remoteCache?: string;
  /** Longest wait of a read for the remote cache; default 1 s. */
  remoteTimeout?: number;
  /** How long the remote cache keeps an entry, where it can forget; default 7 days. */
  remoteTtl?: number;
  strategy: Strategy;
  /** `os/arch[/variant]`; default linux and this machine's architecture. */
  platform?: string;
  /** Distance of checkpoints when an index is built. */
  spacing: number;
  /** Image (reference or transport) to read blobs from instead of the index's hint. */
  source?: string;
  /** No network at all: only caches, local indexes and local sources. */
  offline: boolean;
  /** `local`: never build; `build`: always build anew; a digest: only the index with this identity; `auto`: find, else build. */
  index: 'auto' | 'local' | 'build' | `sha256:${string}`;
  connection: ConnectionOptions;
  /** Sees what the reads cost. */
  observer: Observer;
  /** Sees what an index that is built on the way costs. */
  scanObserver: Observer;
  signal?: AbortSignal;
}

export const DEFAULT_SPACING = 1 << 20;
export const DEFAULT_MEMORY_CACHE = 128 << 20;
export const DEFAULT_REMOTE_TIMEOUT = 1000;
export const DEFAULT_REMOTE_TTL = 7 * 24 * 60 * 60 * 1000;
export const DEFAULT_DISK_CACHE = 10 * 1024 ** 3;
