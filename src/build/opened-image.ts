import type { ImageIndex } from '../format/image-index.js';
import type { ImageReader } from '../read/reader.js';
import type { ImageSource } from '../source/source.js';

/** An image that is ready to be read. Close it when done: it holds connections, files and caches. */
export interface OpenedImage {
  readonly index: ImageIndex;
  /** The index file; of one in a registry `registry/repository@digest` of its artifact. */
  readonly indexPath: string;
  /**
   * Where the index came from: a file that the user named, the local store, beside the image in its registry, built on the way, or
   * built (now or before) with layers that others indexed and pushed to the registry (`mixed`).
   */
  readonly origin: 'file' | 'store' | 'registry' | 'built' | 'mixed';
  readonly reader: ImageReader;
  /** Where blobs are read from; opened at the first call. */
  source(): Promise<ImageSource>;
  close(): Promise<void>;
}
