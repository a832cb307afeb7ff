/** What a user can name an image by, parsed. Made by `parseImage`, printed by `printImage`. */

/** An image in a registry. Without a digest there is always a tag (`latest` if none was written). */
export interface RegistryReference {
  /** Host with optional port as normalised by docker: `docker.io`, `host:5000`, `[::1]:5000`. */
  registry: string;
  /** `library/debian`, `a/b/c`; at most 255 characters. */
  repository: string;
  tag: string | undefined;
  /** Wins over the tag where both are given. */
  digest: string | undefined;
}

/** One of the images in a layout or archive: by its name, by digest, by its 0-based number, or the only one there is. */
export interface Selection {
  name?: string;
  digest?: string;
  number?: number;
}

export type ImageRef =
  | { transport: 'docker'; reference: RegistryReference }
  | { transport: 'oci'; path: string; select: Selection }
  | { transport: 'oci-archive'; path: string; select: Selection }
  | { transport: 'docker-archive'; path: string; select: Selection }
  /** `reference` is what the engine is asked for: a familiar reference, or an image id `sha256:<hex>`. */
  | { transport: 'docker-daemon'; reference: string }
  | { transport: 'tar'; path: string };

export type Transport = ImageRef['transport'];
