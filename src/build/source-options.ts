import type { OpenSourceOptions } from '../source/open-options.js';
import type { ImageSource } from '../source/source.js';
import type { OpenOptions } from './options.js';

/** What a source needs of the options. */
export function sourceOptions(options: OpenOptions): OpenSourceOptions {
  const { connection, offline, useCache, cacheDir, diskCache, scanObserver, signal } = options;
  return {
    connection,
    offline,
    spool: useCache ? { cacheDir, quota: diskCache } : undefined,
    observer: scanObserver,
    ...(signal && { signal }),
  };
}

/** What an index has to name instead of the image: nothing else where the image was read from another place than it was named. */
export function hintOf(source: ImageSource, { source: other }: OpenOptions): { hint?: string } {
  return source.hint === undefined || other !== undefined ? {} : { hint: source.hint };
}
