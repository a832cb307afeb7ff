import { now } from '../clock.js';
import { ClipError, isClipError } from '../errors.js';
import { readHeader } from '../format/file-head.js';
import type { ImageIndex } from '../format/image-index.js';
import type { LayerInfo } from '../format/model.js';
import type { Observer } from '../observer.js';
import { twice } from '../source/mend.js';
import { openSource } from '../source/open.js';
import { resolveImage } from '../source/resolve-image.js';
import type { ImageSource } from '../source/source.js';
import { buildIndex } from './build-index.js';
import type { LayerOrigins, SectionStore } from './layer-sections.js';
import { openIndexFile } from './open-index-file.js';
import type { OpenOptions } from './options.js';
import { openRegistrySections } from './registry-sections.js';
import { sourceOptions } from './source-options.js';
import type { IndexStore } from './store.js';
import { boundIndexes } from './stored-indexes.js';
import { writeFileWhole } from './write-file.js';

/** What was built; `clip index --json` (docs/cli.md) prints it. Sizes are bytes. */
export interface BuiltIndex {
  path: string;
  /** `sha256:<hex>` */
  identity: string;
  image: { name: string; manifestDigest: string; platform: string };
  layers: readonly LayerInfo[];
  /** Where what it says of its distinct layers is from. */
  layerOrigins: LayerOrigins;
  indexSize: number;
  /** Sum of the layers as they lie in the registry, and as tars. */
  compressedSize: number;
  uncompressedSize: number;
  /** Names in the merged tree. */
  entries: number;
  spans: number;
  seconds: number;
}

export interface BuildIntoFileOptions extends OpenOptions {
  /** Printable name of the image; goes into the index as the hint where to read from, unless there is a `hint`. */
  name: string;
  hint?: string | undefined;
  store: IndexStore;
  /** Default: the store's own place. */
  output?: string;
}

/** Resolves, scans, merges and writes. Nothing is left behind where it fails. */
export function buildIntoFile(source: ImageSource, options: BuildIntoFileOptions): Promise<BuiltIndex> {
  return twice(() => build(source, options), source.mend);
}

async function build(source: ImageSource, options: BuildIntoFileOptions): Promise<BuiltIndex> {
  const started = now();
  const { name, store, spacing, platform, scanObserver: observer, signal } = options;
  const cancel = signal && { signal };
  const image = await resolveImage(source, {
    ...(platform !== undefined && { platform }),
    observer,
    ...cancel,
  });
  // What others say of a layer is taken only where any index is, and what came of it is kept apart.
  const others =
    options.index === 'auto' && source.referrers
      ? openRegistrySections(source, {
          spacing,
          manifest: image.manifest,
          open: (base) => openSource(base, sourceOptions(options)),
          observer,
          ...cancel,
        })
      : undefined;
  let written = 0;
  const { chunks, layers } = await buildIndex(source, image, {
    spacing,
    sourceHint: options.hint ?? name,
    sections: counted(sectionsFor(options), (bytes) => {
      written += bytes;
    }),
    ...(others && { elsewhere: others.get }),
    observer,
    ...cancel,
  }).finally(() => others?.close());
  requirePin(chunks[0]!, options.index);
  const isMixed = layers.registry > 0;
  const ownPath = isMixed ? store.mixedPath : store.indexPath;
  const path = options.output ?? ownPath(image.manifestDigest, spacing);
  let built: ReturnType<typeof summary> | undefined;
  await writeFileWhole(path, chunks, {
    signal,
    replace: options.output === undefined,
    // Once it has its name it may be gone: others bound and empty the cache.
    async check(temporary) {
      const index = await openIndexFile(temporary);
      built = summary(index, image.manifestDigest, { name, platform: image.platform });
      await index.close();
    },
  });
  if (options.output === undefined) written += built!.indexSize;
  boundIndexes(store.cacheDir, { quota: options.diskCache, bytes: written, observer });
  return { path, layerOrigins: layers, ...built!, ...elapsed(started) };
}

/** Tells the bytes that are put. */
function counted(sections: SectionStore, onPut: (bytes: number) => void): SectionStore {
  return {
    ...sections,
    async put(digest, spacing, section) {
      await sections.put(digest, spacing, section);
      onPut(section.length);
    },
  };
}

/** Before anything is written. `head`: the file's first chunk. */
function requirePin(head: Uint8Array, index: OpenOptions['index']): void {
  if (!index.startsWith('sha256:')) return;
  const identity = `sha256:${readHeader(head).directoryDigest.toString('hex')}`;
  if (identity === index) return;
  throw new ClipError('DIGEST_MISMATCH', `the index of the image is ${identity}, not ${index}`, {
    hint: 'the index was pinned with --index: it is of another image, spacing or platform, or was made by another clip',
  });
}

/** `--index build` means anew: nothing that was stored is believed, but what is built is kept. */
function sectionsFor({ store, index, output, scanObserver }: BuildIntoFileOptions): IndexStore['sections'] {
  const { sections } = store;
  // Where the index goes elsewhere, a store that takes nothing is no reason to go without it.
  const put = output === undefined ? sections.put : tolerant(sections.put, scanObserver);
  return index === 'build' ? { get: async () => undefined, put } : { ...sections, put };
}

function tolerant(put: SectionStore['put'], observer: Observer): SectionStore['put'] {
  let told = false;
  return async (...section) => {
    try {
      await put(...section);
    } catch (error) {
      if (!isClipError(error)) throw error;
      if (told) return;
      told = true;
      observer.emit({
        type: 'warning',
        code: error.code,
        message: `layers will be scanned again for the next index: ${error.message}`,
        hint: 'free space or make the folder writable, or choose another with --cache-dir',
      });
    }
  };
}

function summary(index: ImageIndex, manifestDigest: string, image: { name: string; platform: string }) {
  const sum = (of: (layer: LayerInfo) => number) =>
    index.layers.reduce((total, layer) => total + of(layer), 0);
  return {
    identity: index.identity,
    image: { ...image, manifestDigest },
    layers: index.layers,
    indexSize: index.size,
    compressedSize: sum((layer) => layer.size),
    uncompressedSize: sum((layer) => layer.uncompressedSize),
    entries: index.nodeCount,
    spans: sum((layer) => layer.spanCount),
  };
}

function elapsed(started: number): { seconds: number } {
  return { seconds: (now() - started) / 1000 };
}
