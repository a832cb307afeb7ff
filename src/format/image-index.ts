import type { ByteString } from '../bytes.js';
import type { Node, TreeLookup } from '../tree/node.js';
import type { LayerInfo, Span, SpanContext } from './model.js';

/** Random access to the bytes of an index: a file, a buffer, or ranges of blobs in a registry. */
export interface ByteSource {
  readonly size: number;
  /** Bytes at the beginning that one read should fetch at once, where the source knows better than its reader. */
  readonly head?: number;
  /** Exactly `length` bytes at `offset`, or a ClipError. Never called beyond `size`. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface ImageDescription {
  /** Bytes as the registry served them; their digest is `manifestDigest`. */
  manifest: Uint8Array;
  manifestDigest: string;
  manifestMediaType: string;
  config: Uint8Array;
  /** `os/architecture[/variant]`. */
  platform: string;
  spacing: number;
}

/** Paths that follow one another, to be used before the next are asked for. */
export interface PathRun {
  readonly count: number;
  at(i: number): ByteString;
  /** All of them, each between a slash and a newline. */
  lines(): Uint8Array;
  /** Whether all bytes are printable ASCII other than a backslash, so that the lines can be printed as they are. */
  readonly plain: boolean;
}

/** An opened index. Everything is read on demand, and each block's digest is checked before it is decoded. */
export interface ImageIndex extends TreeLookup {
  /** `sha256:<hex>`: the index's identity, the digest of its directory. */
  readonly identity: string;
  readonly formatVersion: number;
  /** Bytes of the index file. */
  readonly size: number;
  /** Where the image was read from when the index was built (a reference or transport, no secrets); a hint, not part of the identity. */
  readonly sourceHint: string | undefined;
  /** Base layer first. */
  readonly layers: readonly LayerInfo[];
  describe(): Promise<ImageDescription>;
  /** Names in the merged tree, the root not counted. */
  readonly nodeCount: number;
  lookup(path: ByteString): Promise<Node | undefined>;
  /**
   * Immediate children of a directory, in canonical order, in batches of at most 512, some of them empty; none when there are none or it
   * is no directory.
   */
  children(path: ByteString): AsyncIterable<Node[]>;
  /** The node at `path` and all below it, in canonical order, in batches as `children`. The root node itself is included for ''. */
  walk(path: ByteString): AsyncIterable<Node[]>;
  /** The paths of all nodes below a directory, in canonical order, in a fraction of the time. */
  pathsBelow(path: ByteString): AsyncIterable<PathRun>;
  /**
   * The spans of a layer that overlap [offset, offset + length) of its uncompressed stream, ascending; the first `most` of them. Starts and
   * ends never go back, and a span that skips goes on in the frame of the one before.
   */
  spans(layer: number, offset: number, length: number, most?: number): Promise<Span[]>;
  spanContext(layer: number, span: Span): Promise<SpanContext>;
  /**
   * The bytes of a layer's section, every block of it verified: self-contained, and of use to any image that has the layer
   * (`openLayerSection`, `encodeImage`).
   */
  layerSection(layer: number): Promise<Uint8Array>;
  /** Bytes of the index read so far: what a lookup costs. */
  readonly bytesRead: number;
  close(): Promise<void>;
}
