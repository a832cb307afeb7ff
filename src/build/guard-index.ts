import { ClipError, isClipError } from '../errors.js';
import type { ImageIndex } from '../format/image-index.js';

export interface Guard {
  /** Called once. */
  onCorrupt(): Promise<void>;
  /** What the next command does instead of reading this index. */
  next: string;
  /** Default: none. Who pushed an index does not choose what is opened. */
  sourceHint?: string | undefined;
}

/** The same index, which tells when it turns out to be damaged while it is read. */
export function guardIndex(index: ImageIndex, { onCorrupt, next, sourceHint }: Guard): ImageIndex {
  let told = false;

  async function watched<T>(reading: Promise<T>): Promise<T> {
    try {
      return await reading;
    } catch (error) {
      throw await tell(error);
    }
  }

  async function* watchedAll<T>(reading: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* reading;
    } catch (error) {
      throw await tell(error);
    }
  }

  /** What is to be thrown: a part that the registry has lost is no fault of the image's name. */
  async function tell(error: unknown): Promise<unknown> {
    if (!isClipError(error)) return error;
    const lost = error.code === 'NOT_FOUND';
    if (!lost && error.code !== 'CORRUPT_INDEX') return error;
    if (!told) {
      told = true;
      await onCorrupt();
    }
    const what = lost ? `a part of the index beside the image is gone: ${error.message}` : error.message;
    return new ClipError('CORRUPT_INDEX', what, { hint: `run the command again: ${next}`, cause: error });
  }

  return {
    identity: index.identity,
    formatVersion: index.formatVersion,
    size: index.size,
    sourceHint,
    layers: index.layers,
    nodeCount: index.nodeCount,
    get bytesRead() {
      return index.bytesRead;
    },
    describe: () => watched(index.describe()),
    lookup: (path) => watched(index.lookup(path)),
    children: (path) => watchedAll(index.children(path)),
    walk: (path) => watchedAll(index.walk(path)),
    pathsBelow: (path) => watchedAll(index.pathsBelow(path)),
    spans: (layer, offset, length, most) => watched(index.spans(layer, offset, length, most)),
    spanContext: (layer, span) => watched(index.spanContext(layer, span)),
    layerSection: (layer) => watched(index.layerSection(layer)),
    close: () => index.close(),
  };
}
