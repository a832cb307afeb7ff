import type { OpenOptions } from './options.js';

/** What a source needs of the options. */
export function sourceOptions({ connection, offline }: OpenOptions) {
  return { connection, offline };
}
