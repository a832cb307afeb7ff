/** OCI content descriptor, the fields clip uses (image-spec, descriptor.md). */
export interface Descriptor {
  mediaType: string;
  /** `algorithm:hex`, validated. */
  digest: string;
  /** Bytes. */
  size: number;
  urls?: readonly string[];
  annotations?: Readonly<Record<string, string>>;
  artifactType?: string;
  platform?: Platform;
}

export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
  'os.version'?: string;
}
