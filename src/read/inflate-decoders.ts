import { createLayerDecoder } from '../inflate/decode.js';
import { inflateSpan } from '../inflate/resume.js';
import type { Decoders } from './decoders.js';

/** The inflate room as the read path sees it; loaded when something is to be inflated, which a warm read never does. */
export const inflateDecoders: Decoders = { inflateSpan, createLayerDecoder };
