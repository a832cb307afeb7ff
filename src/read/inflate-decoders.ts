import { availableParallelism } from 'node:os';
import { createLayerDecoder } from '../inflate/decode.js';
import { inflateSpan } from '../inflate/resume.js';
import type { Decoders } from './decoders.js';

/** Less is done before threads have started. A whole window of a large file wants more than this, and so do a dozen readers at once. */
const WORTH_THREADS = 8 << 20;
/** What one registry can feed, and what the windows of a read can keep busy. */
const MAX_THREADS = 8;

const size = Math.min(availableParallelism(), MAX_THREADS);

/** The inflate room as the read path sees it; loaded when something is to be inflated, which a warm read never does. */
export const inflateDecoders: Decoders = {
  inflateSpan,
  createLayerDecoder,
  threads:
    size < 2
      ? undefined
      : {
          worthFrom: WORTH_THREADS,
          open: async (buffers) =>
            (await import('../inflate/span-threads.js')).createSpanThreads(size, buffers),
        },
};
