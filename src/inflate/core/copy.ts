/**
 * Match copies, 16 bytes at a time, the first 32 without asking for the length. They may write up to 32 bytes past the match:
 * the buffer has slack, and what follows is written later. A distance below 16 would read bytes that are not there yet, so its pattern is spread over 16 bytes by a
 * byte shuffle and stored at steps of the largest multiple of the distance. Rejected: a byte loop (a run of zeros is the
 * commonest long match of a tar), and memory.copy (a call costs more than the median match of about ten bytes).
 */
import { PATTERNS, STRIDES } from './layout';

/** Fills the shuffle patterns. Called once per instance. */
export function initPatterns(): void {
  for (let distance: u32 = 1; distance < 16; distance++) {
    for (let i: u32 = 0; i < 16; i++) store<u8>(PATTERNS + (distance << 4) + i, <u8>(i % distance));
    store<u8>(STRIDES + distance, <u8>(16 - (16 % distance)));
  }
}

/** Copies `length` (3–258) bytes from `distance` (≥ 1) bytes before `out` to `out`. */
@inline
export function copyMatch(out: usize, distance: usize, length: usize): void {
  let source = out - distance;
  const end = out + length;
  if (distance >= 16) {
    v128.store(out, v128.load(source));
    v128.store(out, v128.load(source, 16), 16);
    if (length > 32) {
      out += 32;
      source += 32;
      do {
        v128.store(out, v128.load(source));
        out += 16;
        source += 16;
      } while (out < end);
    }
  } else {
    const pattern = v128.swizzle(v128.load(source), v128.load(PATTERNS + (distance << 4)));
    const stride = <usize>load<u8>(STRIDES + distance);
    do {
      v128.store(out, pattern);
      out += stride;
    } while (out < end);
  }
}
