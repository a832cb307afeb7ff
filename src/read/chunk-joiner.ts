/** Chunks from this size on pass as they are. */
const LARGE = 64 << 10;
/** Small ones are copied into buffers of this size. */
const JOINED = 512 << 10;

export interface ChunkJoiner {
  /** What is ready to go out, in order. */
  add(chunk: Uint8Array): Iterable<Uint8Array>;
  end(): Iterable<Uint8Array>;
}

/**
 * Joins small chunks, so that a tree of small files does not become a write for each header: a write costs some 20 µs, copying 512
 * bytes next to nothing. Large chunks are not copied. What it gives out is not used again.
 */
export function createChunkJoiner(): ChunkJoiner {
  let joined: Buffer | undefined;
  let filled = 0;

  function* flush(): Generator<Uint8Array> {
    if (!joined || filled === 0) return;
    yield joined.subarray(0, filled);
    // A short piece leaves room for the next ones.
    joined = filled < JOINED - LARGE ? joined.subarray(filled) : undefined;
    filled = 0;
  }

  return {
    *add(chunk) {
      if (chunk.byteLength >= LARGE) {
        yield* flush();
        yield chunk;
        return;
      }
      if (joined && filled + chunk.byteLength > joined.byteLength) {
        yield* flush();
        joined = undefined;
      }
      joined ??= Buffer.allocUnsafeSlow(JOINED);
      joined.set(chunk, filled);
      filled += chunk.byteLength;
    },
    end: flush,
  };
}
