/**
 * The numbers that bound an index file; docs/format.md, "Limits", lists them. A decoder refuses what exceeds them, so an
 * encoder must never write it.
 */

/** A reader accepts every minor version of its major version. */
export const FORMAT_MAJOR = 1;
export const FORMAT_MINOR = 0;

/** Decoded bytes of one block. */
export const MAX_BLOCK = 65_536;
/** Entries, nodes, keys or spans in one block. */
export const MAX_BLOCK_ITEMS = 4096;
/**
 * Sum of the lengths of all full paths in one block. Front coding lets three bytes stand for a path of thousands, so without
 * this a block of 64 KiB could unfold to hundreds of megabytes.
 */
export const MAX_BLOCK_PATHS = 262_144;
/** Bytes of one path, and of one link target. */
export const MAX_PATH = 16_384;
/** Bytes of one user or group name. */
export const MAX_OWNER_NAME = 1024;
/** Encoded bytes of the extended attributes that one block of entries points to; as many again of extents. */
export const MAX_EXTRAS = 1_048_576;
/** Encoded bytes of the extended attributes of one layer. */
export const MAX_LAYER_XATTRS = 67_108_864;
/** Encoded bytes of the extents of one layer. */
export const MAX_LAYER_EXTENTS = 33_554_432;
/** Bytes of all paths and link targets of the layers of an image, which a merge holds all at once. */
export const MAX_NAMES_BYTES = 268_435_456;
/** Entries of one layer. */
export const MAX_ENTRIES = 10_000_000;
/** Largest major or minor number of a device. */
export const MAX_DEVICE = 4_294_967_295;
/** Bytes that DEFLATE can reach back. */
export const MAX_WINDOW = 32_768;
/** Bytes of a DEFLATE block's header. */
export const MAX_BLOCK_HEADER = 600;
/** Uncompressed bytes between checkpoints. */
export const MIN_SPACING = 131_072;
export const MAX_SPACING = 67_108_864;
/** Compressed bytes that a span of `length` may have, but for one in zstd frames, which are decoded as they come. */
export function maxStored(length: number): number {
  return 2 * length + 16_777_216;
}
/** Bytes of the file's directory, and of one section's directory. */
export const MAX_DIRECTORY = 67_108_864;
export const MAX_SECTIONS = 4096;
/** Layers of one image. */
export const MAX_LAYERS = 4096;
/** Bytes of the source hint. */
export const MAX_HINT = 4096;
/** Bytes of a media type or a platform. */
export const MAX_TEXT = 255;
/** Bytes of the manifest, and of the config. */
export const MAX_DOCUMENT = 4_194_304;
/** Spans of one layer, which a reader of the whole layer holds all at once: 1 TB of tar at the usual spacing. */
export const MAX_SPANS = 1_000_000;
/** Nodes of one image. */
export const MAX_ITEMS = 0x7fff_ffff;
