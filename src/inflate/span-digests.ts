import { placeInWord } from '../buffers.js';

/**
 * Digests of spans over the stream that they are cut from. Where a span ends is decided some way after that place has gone by;
 * from the first place that may be chosen on (`hold`), bytes are kept aside until it is. A scan holds at most half a spacing,
 * and at most 4 MiB, plus 32 KiB and a buffer of output.
 */
export interface SpanDigests {
  /** Called before the first byte of a stream whose spans are digested so. */
  begin?(): void;
  /** The next uncompressed bytes. */
  data(bytes: Uint8Array): void;
  /** Bytes from here on may belong to the next span. `offset` is at or past all bytes so far; only the first call counts. */
  hold(offset: number): void;
  /**
   * Ends the span at an offset at or past the one held, all of whose bytes were given. Returns its digest, 64 lower-case hex
   * digits, or '' where it is computed elsewhere and told in the end.
   */
  cut(offset: number): string;
}

/** What hashes a span's bytes; `Hash` of node:crypto is one. */
export interface StreamHash {
  update(bytes: Uint8Array): unknown;
  digest(encoding: 'hex'): string;
}

export function createSpanDigests(createHash: () => StreamHash): SpanDigests {
  let hash = createHash();
  let offset = 0;
  let heldFrom = Number.POSITIVE_INFINITY;
  let held = Buffer.alloc(0);
  let heldStart = 0;
  let heldLength = 0;

  /** As the first of them lie in their word (`placeInWord`). */
  function keep(bytes: Uint8Array): void {
    if (heldLength === 0) heldStart = placeInWord(bytes);
    const end = heldStart + heldLength;
    if (end + bytes.length > held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(2 * held.length, end + bytes.length));
      grown.set(held.subarray(0, end));
      held = grown;
    }
    held.set(bytes, end);
    heldLength += bytes.length;
  }

  return {
    data(bytes) {
      const free = Math.min(Math.max(heldFrom - offset, 0), bytes.length);
      if (free > 0) hash.update(bytes.subarray(0, free));
      if (free < bytes.length) keep(bytes.subarray(free));
      offset += bytes.length;
    },
    hold(from) {
      if (heldFrom === Number.POSITIVE_INFINITY) heldFrom = from;
    },
    cut(end) {
      const ours = Math.min(Math.max(end - heldFrom, 0), heldLength);
      const cut = heldStart + ours;
      hash.update(held.subarray(heldStart, cut));
      const digest = hash.digest('hex');
      hash = createHash();
      hash.update(held.subarray(cut, heldStart + heldLength));
      heldFrom = Number.POSITIVE_INFINITY;
      heldLength = 0;
      return digest;
    },
  };
}
