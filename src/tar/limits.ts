/**
 * How much of a hostile tar is believed before the walk gives up with LIMIT. Each is far above what real layers hold; each keeps
 * what one header of 512 bytes can cost the rest of clip small.
 */
export interface TarLimits {
  /** Members in one tar. */
  entries: number;
  /** Bytes of one PAX extended header (`x`, `X` or `g`), as in Go's archive/tar. */
  paxBytes: number;
  /**
   * Bytes of the global PAX records that are in force (names and values that clip uses). Small, because each later entry of 512
   * bytes inherits all of them.
   */
  globalBytes: number;
  /** Bytes of a path or link target: 16 times Linux's PATH_MAX, which no system could unpack. */
  nameBytes: number;
  /** Entries in the map of one sparse file, empty ones included. */
  sparseEntries: number;
}

export const TAR_LIMITS: Readonly<TarLimits> = {
  entries: 10_000_000,
  paxBytes: 1_048_576,
  globalBytes: 4096,
  nameBytes: 65_536,
  sparseEntries: 131_072,
};
