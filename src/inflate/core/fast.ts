/**
 * The fast loop: decodes while neither end is near, without a check per symbol.
 *
 * The bit buffer is 64 bits wide and refilled a word at a time without a branch: bytes that did not fit are loaded again the
 * next time. After a refill at least 56 bits are there: enough for four literals from the first level (11 bits each) and the
 * next lookup, or for two literals and a length (20); a distance (28) refills first where that and the next lookup would not
 * be covered. The next symbol's entry is loaded before a match is copied, so that the load's latency hides behind the copy.
 *
 * Measured and rejected: tables of 10 or 12 bits, distance tables of 8, output buffers of 128 and 256 KiB (all a little
 * slower), and an unconditional refill before the distance (3 % slower).
 */

import { copyMatch } from './copy';
import { DIST, LITLEN, LITLEN_BITS, LOG, LOG_SIZE } from './layout';
import { BAD_DISTANCE, BAD_SYMBOL, Block, END_OF_BLOCK, Input, Log, NEED_INPUT, Output } from './state';
import { END_SYMBOL, EXCEPTIONAL, LITERAL, SUBTABLE } from './tables';

/** The loop starts an iteration only with this many input bytes left: two refills advance by at most 14 and load 8 bytes. */
export const INPUT_SLACK: usize = 32;
/** Most output of one iteration: two literals and a match. */
export const OUTPUT_SLACK: usize = 260;

/** Bits of the longest distance and of the lookup after it. */
const NEEDED_BITS: u64 = 28 + LITLEN_BITS;

/** Decodes until output reaches `limit` or input runs short (NEED_INPUT), or END_OF_BLOCK or an error. */
export function decodeFast(limit: usize): i32 {
  return loop(false, limit);
}

/** The same, and notes every match for reach.ts. */
export function decodeFastLogged(limit: usize): i32 {
  return loop(true, limit);
}

@inline
function litlenEntry(buffer: u64, mask: u64): u64 {
  return <u64>load<u32>(LITLEN + (<usize>(buffer & mask) << 2));
}

@inline
function loop(logged: bool, limit: usize): i32 {
  const inputLimit = Input.end - INPUT_SLACK;
  const floor = Output.floor;
  const litlenMask: u64 = (1 << <u64>Block.litlenBits) - 1;
  const distMask: u64 = (1 << <u64>Block.distBits) - 1;
  const base = Output.base;
  const newest = <usize>(Log.newest - base);
  let log = Log.next;
  let out = Output.next;
  let next = Input.next + 7;
  // Only the low byte of `count` is bits left; the rest is what subtracting whole entries leaves there.
  let count: u64 = 56 - <u64>Input.bit;
  let buffer: u64 = load<u64>(Input.next) >> <u64>Input.bit;
  let status = NEED_INPUT;
  let entry = litlenEntry(buffer, litlenMask);
  do {
    // Refill. The entry at hand came from bits that stay where they are.
    buffer |= load<u64>(next) << count;
    next += 7;
    next -= <usize>(count >> 3) & 7;
    count |= 56;

    let saved = buffer;
    buffer >>= entry;
    count -= entry;
    if (entry & LITERAL) {
      store<u8>(out++, <u8>(entry >> 16));
      entry = litlenEntry(buffer, litlenMask);
      saved = buffer;
      buffer >>= entry;
      count -= entry;
      if (entry & LITERAL) {
        store<u8>(out++, <u8>(entry >> 16));
        entry = litlenEntry(buffer, litlenMask);
        saved = buffer;
        buffer >>= entry;
        count -= entry;
        if (entry & LITERAL) {
          store<u8>(out++, <u8>(entry >> 16));
          entry = litlenEntry(buffer, litlenMask);
          if (entry & LITERAL) {
            buffer >>= entry;
            count -= entry;
            store<u8>(out++, <u8>(entry >> 16));
            entry = litlenEntry(buffer, litlenMask);
          }
          continue;
        }
      }
    }
    if (entry & EXCEPTIONAL) {
      if (entry & SUBTABLE) {
        entry = <u64>load<u32>(
          LITLEN + (<usize>((entry >> 16) + (buffer & ((<u64>1 << ((entry >> 8) & 63)) - 1))) << 2),
        );
        saved = buffer;
        buffer >>= entry;
        count -= entry;
        if (entry & LITERAL) {
          store<u8>(out++, <u8>(entry >> 16));
          entry = litlenEntry(buffer, litlenMask);
          continue;
        }
      }
      if (entry & EXCEPTIONAL) {
        status = entry & END_SYMBOL ? END_OF_BLOCK : BAD_SYMBOL;
        break;
      }
    }
    const length =
      <usize>(entry >> 16) + <usize>((saved & ((<u64>1 << entry) - 1)) >> ((entry >> 8) & 63));

    if ((count & 63) < NEEDED_BITS) {
      buffer |= load<u64>(next) << count;
      next += 7;
      next -= <usize>(count >> 3) & 7;
      count |= 56;
    }

    entry = <u64>load<u32>(DIST + (<usize>(buffer & distMask) << 2));
    if (entry & EXCEPTIONAL) {
      if (!(entry & SUBTABLE)) {
        status = BAD_SYMBOL;
        break;
      }
      buffer >>= entry;
      count -= entry;
      entry = <u64>load<u32>(
        DIST + (<usize>((entry >> 16) + (buffer & ((<u64>1 << ((entry >> 8) & 63)) - 1))) << 2),
      );
      if (entry & EXCEPTIONAL) {
        status = BAD_SYMBOL;
        break;
      }
    }
    saved = buffer;
    buffer >>= entry;
    count -= entry;
    const distance =
      <usize>(entry >> 16) + <usize>((saved & ((<u64>1 << entry) - 1)) >> ((entry >> 8) & 63));
    if (distance > out - floor) {
      status = BAD_DISTANCE;
      break;
    }
    entry = litlenEntry(buffer, litlenMask);
    if (logged) {
      store<u64>(LOG + log, (<u64>(base + <u32>out) << 32) | (<u64>distance << 16) | <u64>length);
      log = (log + (<usize>(distance > out - newest) << 3)) & (LOG_SIZE - 1);
    }
    copyMatch(out, distance, length);
    out += length;
  } while (next < inputLimit && out <= limit);

  const left = <u32>(count & 63);
  const position = (next << 3) - left;
  Input.next = position >> 3;
  Input.bit = position & 7;
  Output.next = out;
  if (logged) Log.next = log;
  return status;
}
