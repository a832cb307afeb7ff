import { isClipError } from '../errors.js';
import type { ImageIndex } from '../format/image-index.js';

/** The same index, which tells once when it turns out to be damaged while it is read. */
export function guardIndex(index: ImageIndex, onCorrupt: () => Promise<void>): ImageIndex {
  let told = false;

  async function watched<T>(reading: Promise<T>): Promise<T> {
    try {
      return await reading;
    } catch (error) {
      await tell(error);
      throw error;
    }
  }

  async function* watchedAll<T>(reading: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* reading;
    } catch (error) {
      await tell(error);
      throw error;
    }
  }

  async function tell(error: unknown): Promise<void> {
    if (told || !isClipError(error, 'CORRUPT_INDEX')) return;
    told = true;
    await onCorrupt();
  }

  return {
    identity: index.identity,
    formatVersion: index.formatVersion,
    size: index.size,
    // Who pushed an index does not choose what is opened.
    sourceHint: undefined,
    layers: index.layers,
    nodeCount: index.nodeCount,
    get bytesRead() {
      return index.bytesRead;
    },
    describe: () => watched(index.describe()),
    lookup: (path) => watched(index.lookup(path)),
    children: (path) => watched(index.children(path)),
    walk: (path) => watchedAll(index.walk(path)),
    paths: (path) => watchedAll(index.paths(path)),
    spans: (layer, offset, length) => watched(index.spans(layer, offset, length)),
    spanContext: (layer, span) => watched(index.spanContext(layer, span)),
    layerSection: (layer) => watched(index.layerSection(layer)),
    close: () => index.close(),
  };
}
