import type { Observer } from '../observer.js';
import type { Descriptor } from '../oci/descriptor.js';

export interface ReadOptions {
  observer?: Observer;
  signal?: AbortSignal;
}

export interface ManifestResult {
  bytes: Uint8Array;
  mediaType: string;
  /** `sha256:<hex>` computed from `bytes`, and checked when a digest was asked for. */
  digest: string;
}

/** Where an image comes from: a registry, an OCI layout, an archive, … One object serves one repository. */
export interface ImageSource {
  /** Transport and reference, printable (no secrets). */
  readonly name: string;
  /** What an index has to name to find the image again, where `name` would not do: what came through a pipe comes but once. */
  readonly hint?: string | undefined;
  /** The manifest or image index behind the reference that the source was opened with, or behind a digest. At most 4 MiB (LIMIT). */
  manifest(digest: string | undefined, options?: ReadOptions): Promise<ManifestResult>;
  /**
   * A blob's bytes from `offset` (default 0) to its end. Not verified here: who consumes it hashes it. A stream that breaks is
   * resumed by Range where it broke. Chunks are valid until the next one is asked for.
   */
  blob(descriptor: Descriptor, options?: ReadOptions & { offset?: number }): AsyncIterable<Uint8Array>;
  /**
   * [offset, offset + length) of a blob, in chunks, exactly `length` bytes in all or a ClipError. One single-range request.
   */
  range(
    descriptor: Descriptor,
    range: { offset: number; length: number },
    options?: ReadOptions,
  ): AsyncIterable<Uint8Array>;
  /**
   * The artifacts of one type that refer to a manifest, wherever in the list their type is told. Absent where an image can have none.
   */
  referrers?(subject: string, artifactType: string, options?: ReadOptions): Promise<Descriptor[]>;
  /**
   * To be called when bytes did not hold: true where a copy that they were read from was damaged and is made anew, so that it is worth
   * to read again. Throws DIGEST_MISMATCH where it was damaged and cannot be. Absent where there is no copy.
   */
  mend?(): Promise<boolean>;
  close(): Promise<void>;
}
