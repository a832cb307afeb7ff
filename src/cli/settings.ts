import { defaultCacheDir } from '../build/default-options.js';
import { DEFAULT_SPACING, type OpenOptions } from '../build/options.js';
import type { Observer } from '../observer.js';
import type { Everywhere } from './everywhere.js';

/** The everywhere-flags as the options of opening an image. */
export function openOptions(
  settings: Everywhere,
  run: { env: NodeJS.ProcessEnv; observer: Observer; scanObserver: Observer; signal: AbortSignal },
): OpenOptions {
  return {
    cacheDir: settings.cacheDir ?? defaultCacheDir(run.env),
    useCache: !settings.noCache,
    memoryCache: settings.memoryCache,
    diskCache: settings.diskCache,
    ...(settings.remoteCache === undefined ? {} : { remoteCache: settings.remoteCache }),
    remoteTimeout: settings.remoteTimeout,
    remoteTtl: settings.remoteTtl,
    strategy: settings.strategy,
    spacing: DEFAULT_SPACING,
    offline: settings.offline,
    index: settings.index,
    connection: {
      plainHttp: settings.plainHttp,
      insecure: settings.insecure,
      connectTimeout: settings.connectTimeout,
      headersTimeout: settings.headersTimeout,
      idleTimeout: settings.idleTimeout,
      tries: settings.tries,
      mirrors: settings.mirror,
      keepToken: settings.keepToken,
    },
    observer: run.observer,
    scanObserver: run.scanObserver,
    signal: run.signal,
    ...(settings.platform === undefined ? {} : { platform: settings.platform }),
    ...(settings.source === undefined ? {} : { source: settings.source }),
  };
}
