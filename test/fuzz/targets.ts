import type { Target } from './target.js';

/** Each is loaded when it is asked for. */
export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  inflate: async () => (await import('./targets/inflate.js')).inflateTarget(),
  gzip: async () => (await import('./targets/gzip.js')).gzipTarget(),
  zstd: async () => (await import('./targets/zstd.js')).zstdTarget(),
  tar: async () => (await import('./targets/tar.js')).tarTarget(),
  merge: async () => (await import('./targets/merge.js')).mergeTarget(),
  index: async () => (await import('./targets/index-file.js')).indexTarget(),
  reference: async () => (await import('./targets/reference.js')).referenceTarget(),
  http: async () => (await import('./targets/http.js')).httpTarget(),
};

/** Throws Error for a name that is none. */
export async function loadTarget(name: string): Promise<Target> {
  const load = TARGETS[name];
  if (load === undefined) throw new Error(`no target ${name}`);
  return await load();
}
