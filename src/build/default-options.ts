import path from 'node:path';
import { DEFAULT_CONNECTION } from '../http/options.js';
import { silentObserver } from '../observer.js';
import { DEFAULT_DISK_CACHE, DEFAULT_MEMORY_CACHE, DEFAULT_SPACING, type OpenOptions } from './options.js';
import { takeFolder } from './take-folder.js';

/** Fills in what the command line would, for who opens an image from a program; nothing is observed by default. */
export function withDefaults(options: Partial<OpenOptions>): OpenOptions {
  return {
    cacheDir: options.cacheDir ?? defaultCacheDir(process.env),
    useCache: true,
    memoryCache: DEFAULT_MEMORY_CACHE,
    diskCache: DEFAULT_DISK_CACHE,
    strategy: 'auto',
    spacing: DEFAULT_SPACING,
    offline: false,
    index: 'auto',
    connection: DEFAULT_CONNECTION,
    observer: silentObserver,
    scanObserver: silentObserver,
    ...options,
  };
}

/**
 * `$XDG_CACHE_HOME/clip`, else `~/.cache/clip` (XDG Base Directory Specification: a relative path is ignored). Without a home
 * there is the system's folder for temporary files, under a name of this user's own; throws IO where somebody else has taken that.
 */
export function defaultCacheDir(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME ?? '';
  if (path.isAbsolute(base)) return path.join(base, 'clip');
  const home = env.HOME ?? '';
  if (path.isAbsolute(home)) return path.join(home, '.cache', 'clip');
  const folder = path.join(env.TMPDIR || '/tmp', `clip-cache-${process.getuid?.() ?? 'user'}`);
  takeFolder(folder);
  return folder;
}
