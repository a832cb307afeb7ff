/**
 * What the index file holds, as the rest of clip sees it. How it is laid out in bytes is docs/format.md and the other files
 * of this room.
 */

/** How a layer's bytes are packed; decided by the bytes' magic, not by the media type. */
export type Encoding = 'gzip' | 'zstd' | 'plain';

/**
 * Where decoding of a span starts:
 * - `member`: at the header of a gzip member (or at garbage-free end): no window.
 * - `block`:  at a DEFLATE block's header bit.
 * - `symbol`: at a symbol inside a Huffman-coded DEFLATE block; `BlockHeader` says which tables hold.
 * - `frame`:  at a zstd frame, the first `skip` bytes of whose output belong to earlier spans.
 * - `raw`:    plain tar; nothing is decoded.
 */
export type StartKind = 'member' | 'block' | 'symbol' | 'frame' | 'raw';

/** The compressed bytes of the header (BFINAL … code lengths) of the DEFLATE block that a `symbol` start lies in. */
export interface BlockHeader {
  /** Bit in the first byte at which the header begins, 0–7. */
  bit: number;
  /** At most 600 bytes. */
  bytes: Uint8Array;
}

/** The unit that is fetched, inflated, verified, stored and cached. */
export interface Span {
  /** 0-based number in its layer. */
  index: number;
  /** Uncompressed offset and length, bytes; length ≥ 1 and ≤ 2 × spacing. */
  offset: number;
  length: number;
  /** Compressed bytes that decode it: [byte, end) of the blob; decoding starts at bit `bit` (0–7) of the first. */
  byte: number;
  bit: number;
  end: number;
  kind: StartKind;
  /**
   * Bytes that decoding from `byte` yields before this span's own, ≥ 0. Other than 0 only for `frame` spans: a zstd frame can be
   * entered only at its beginning, so a frame longer than 2 × spacing is cut into neighbouring spans that share `byte` and
   * `end`, and one decode of [byte, end) yields them all: span i + 1 has skip = skip of i + length of i.
   */
  skip: number;
  /** SHA-256 of its uncompressed bytes, 64 lower-case hex digits: the cache key. */
  digest: string;
}

/** What decoding a span needs besides its compressed bytes. */
export interface SpanContext {
  /**
   * The up to 32,768 uncompressed bytes before the span, last byte last; bytes that no back-reference of the span reaches may
   * be zero, and a prefix that is not reached may be missing. Empty where none is needed.
   */
  window: Uint8Array;
  header: BlockHeader | undefined;
}

export interface LayerInfo {
  /** Digest of the blob, `sha256:<hex>`. */
  digest: string;
  /** Media type as in the manifest. Not part of the layer's section: it belongs to the image. */
  mediaType: string;
  /** Compressed bytes. */
  size: number;
  /** Digest of the uncompressed tar, `sha256:<hex>`. */
  diffId: string;
  /** Uncompressed bytes: what the decoder yields, padding and trailing garbage of the tar included. */
  uncompressedSize: number;
  encoding: Encoding;
  entryCount: number;
  spanCount: number;
}
