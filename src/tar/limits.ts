/**
 * How much of a hostile tar is believed before the walk gives up with LIMIT. Each is far above what real layers hold. Those of one
 * entry keep what a header of 512 bytes can cost small, those of all keep what a few kB of compressed headers can.
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
  /** Runs of all sparse files of one tar, empty ones not counted. */
  allRuns: number;
  /** Bytes of all extended attributes of one tar (names, values and 8 for each); equal sets count once. */
  allXattrBytes: number;
  /** Bytes of all paths, link targets, user and group names of one tar. */
  allNameBytes: number;
}

export const TAR_LIMITS: Readonly<TarLimits> = {
  entries: 10_000_000,
  paxBytes: 1_048_576,
  globalBytes: 4096,
  nameBytes: 65_536,
  sparseEntries: 131_072,
  allRuns: 1_000_000,
  allXattrBytes: 67_108_864,
  allNameBytes: 268_435_456,
};
