/** One image in several places: the first that works is kept to; what fails in mid-blob goes on in the next where it broke. */

import { isClipError } from '../errors.js';
import { escapeText } from '../escape.js';
import { silentObserver } from '../observer.js';
import type { Descriptor } from '../oci/descriptor.js';
import { parseManifest } from '../oci/parse-manifest.js';
import type { ImageSource, ReadOptions } from './source.js';

/** `sources` in order of preference; the last is the image's own, gives the name, and has the last word on what is wrong. */
export function createFallbackSource(sources: readonly ImageSource[]): ImageSource {
  const own = sources[sources.length - 1]!;
  let preferred = 0;

  /** The preferred one first, then those after it, and those before it that failed earlier at last. */
  function order(): number[] {
    const all = sources.map((_, i) => i);
    return [...all.slice(preferred), ...all.slice(0, preferred)];
  }

  function failed(error: unknown, from: number, options: ReadOptions): void {
    if (isClipError(error, 'INTERRUPTED') || options.signal?.aborted === true) throw error;
    if (from === sources.length - 1) return;
    (options.observer ?? silentObserver).emit({
      type: 'warning',
      code: 'MIRROR_FAILED',
      message: `the mirror ${sources[from]!.name} failed, going on without it: ${escapeText(String((error as Error).message))}`,
    });
  }

  async function* read(
    descriptor: Descriptor,
    range: { start: number; end: number },
    options: ReadOptions,
  ): AsyncGenerator<Uint8Array> {
    let { start } = range;
    const errors: { at: number; error: unknown }[] = [];
    for (const at of order()) {
      try {
        const rest = { offset: start, length: range.end - start };
        const whole = rest.length === descriptor.size;
        const source = sources[at]!;
        const chunks = whole ? source.blob(descriptor, options) : source.range(descriptor, rest, options);
        for await (const chunk of chunks) {
          start += chunk.length;
          yield chunk;
        }
        preferred = at;
        return;
      } catch (error) {
        failed(error, at, options);
        errors.push({ at, error });
      }
    }
    throw verdict(errors);
  }

  function verdict(errors: readonly { at: number; error: unknown }[]): unknown {
    return (errors.find(({ at }) => at === sources.length - 1) ?? errors[0])?.error;
  }

  return {
    ...own,
    async manifest(digest, options = {}) {
      const errors: { at: number; error: unknown }[] = [];
      for (const at of order()) {
        try {
          const found = await sources[at]!.manifest(digest, options);
          // A mirror that answers with something else than a manifest has failed too.
          if (at !== sources.length - 1) parseManifest(found.bytes, found.mediaType);
          preferred = at;
          return found;
        } catch (error) {
          failed(error, at, options);
          errors.push({ at, error });
        }
      }
      throw verdict(errors);
    },
    blob: (descriptor, options = {}) =>
      read(descriptor, { start: options.offset ?? 0, end: descriptor.size }, options),
    range: (descriptor, { offset, length }, options = {}) =>
      read(descriptor, { start: offset, end: offset + length }, options),
    async close() {
      await Promise.all(sources.map((source) => source.close()));
    },
  };
}
