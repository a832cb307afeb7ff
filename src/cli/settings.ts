import path from 'node:path';
import { DEFAULT_SPACING, type OpenOptions } from '../build/options.js';
import type { Observer } from '../observer.js';
import type { Everywhere } from './everywhere.js';

/**
 * `$XDG_CACHE_HOME/clip`, else `~/.cache/clip` (XDG Base Directory Specification: a relative path is ignored). Without a home
 * there is the system's folder for temporary files, under a name of this user's own.
 */
export function defaultCacheDir(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME ?? '';
  if (path.isAbsolute(base)) return path.join(base, 'clip');
  const home = env.HOME ?? '';
  if (path.isAbsolute(home)) return path.join(home, '.cache', 'clip');
  return path.join(env.TMPDIR || '/tmp', `clip-cache-${process.getuid?.() ?? 'user'}`);
}

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
    },
    observer: run.observer,
    scanObserver: run.scanObserver,
    signal: run.signal,
    ...(settings.platform === undefined ? {} : { platform: settings.platform }),
    ...(settings.source === undefined ? {} : { source: settings.source }),
  };
}
