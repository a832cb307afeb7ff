import { parseImage } from '../reference/parse-image.js';
import { printImage } from '../reference/print-image.js';
import { openSource } from '../source/open.js';
import { type BuiltIndex, buildIntoFile } from './build-into-file.js';
import { withDefaults } from './default-options.js';
import type { OpenOptions } from './options.js';
import { hintOf, sourceOptions } from './source-options.js';
import { openIndexStore } from './store.js';

/**
 * Builds the index of an image: what `clip index` does. Layers that were scanned before are not scanned again, unless
 * `options.index` is `build`. Throws INVALID_REFERENCE, DIGEST_MISMATCH, CORRUPT_LAYER, CORRUPT_TAR, NO_SPACE, IO, and what the
 * source throws.
 */
export async function buildImageIndex(
  image: string,
  given: Partial<OpenOptions> & { output?: string } = {},
): Promise<BuiltIndex> {
  const options = { ...given, ...withDefaults(given) };
  const named = parseImage(image);
  const from = options.source === undefined ? named : parseImage(options.source);
  const source = await openSource(from, sourceOptions(options));
  const store = openIndexStore(options.cacheDir);
  const name = printImage(named);
  try {
    const built = await buildIntoFile(source, { ...options, name, store, ...hintOf(source, options) });
    await store.remember(name, options.platform ?? '', built.image.manifestDigest);
    return built;
  } finally {
    await source.close();
  }
}
