import type { Buffers } from '../buffers.js';
import type { TieredCache } from '../cache/tiered.js';
import { ClipError } from '../errors.js';
import type { ImageIndex } from '../format/image-index.js';
import type { LayerInfo } from '../format/model.js';
import type { Observer } from '../observer.js';
import type { ImageSource } from '../source/source.js';
import type { Decoders } from './decoders.js';
import type { Runs } from './runs.js';
import type { ThreadUse } from './thread-use.js';

/** What every part of the read path works with. */
export interface ReadContext {
  readonly index: ImageIndex;
  /** Opens the image's source at its first use, so that a warm read touches no network. */
  readonly source: () => Promise<ImageSource>;
  readonly cache: TieredCache;
  readonly observer: Observer;
  /** Loaded at the first use: a warm read inflates nothing. */
  readonly decoders: () => Promise<Decoders>;
  /** For compressed spans, and for spans whose only reader is done with them. */
  readonly buffers: Buffers;
  readonly threads: ThreadUse;
  readonly runs: Runs;
}

export function layerInfo(context: ReadContext, layer: number): LayerInfo {
  const info = context.index.layers[layer];
  if (!info) throw new ClipError('CORRUPT_INDEX', `the index names a layer ${layer} that it does not have`);
  return info;
}
