import { parseImage } from '../reference/parse-image.js';
import { openSource } from '../source/open.js';
import { listPlatforms } from '../source/resolve-image.js';
import type { ImageSource } from '../source/source.js';
import { isIndexTarget } from './index-target.js';
import { openImage } from './open-image.js';
import type { OpenOptions } from './options.js';
import { sourceOptions } from './source-options.js';

export interface ImagePlatforms {
  /** Printable transport and reference of what was asked. */
  source: string;
  /** `os/arch[/variant]`, in the order of the image index, without duplicates. */
  platforms: string[];
}

/** The platforms that an image is there for; no index is built. Throws what opening the source and its documents throw. */
export async function listImagePlatforms(target: string, options: OpenOptions): Promise<ImagePlatforms> {
  if (isIndexTarget(target)) {
    // What there is does not depend on what is wanted.
    const { platform, ...anyPlatform } = options;
    const image = await openImage(target, anyPlatform);
    try {
      return await ask(await image.source(), options);
    } finally {
      await image.close();
    }
  }
  const source = await openSource(parseImage(options.source ?? target), sourceOptions(options));
  try {
    return await ask(source, options);
  } finally {
    await source.close();
  }
}

async function ask(source: ImageSource, { observer, signal }: OpenOptions): Promise<ImagePlatforms> {
  return {
    source: source.name,
    platforms: await listPlatforms(source, { observer, ...(signal && { signal }) }),
  };
}
