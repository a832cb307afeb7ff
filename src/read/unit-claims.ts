import type { Claim } from '../cache/single-flight.js';
import type { LayerInfo, Span } from '../format/model.js';
import { splitDigest } from '../reference/digest.js';

/** Whatever of a layer is asked for, one process decodes it. */
export function layerClaim({ digest, uncompressedSize }: LayerInfo): Claim {
  return { name: splitDigest(digest).hex, bytes: uncompressedSize };
}

/** Spans of one frame share a start and so a decoder run: one process decodes them all. */
export function spanClaim({ digest, uncompressedSize }: LayerInfo, span: Span): Claim {
  return span.kind === 'frame'
    ? { name: `${splitDigest(digest).hex}-${span.byte}`, bytes: uncompressedSize }
    : { name: span.digest, bytes: span.length };
}
