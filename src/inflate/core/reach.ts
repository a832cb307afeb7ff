/**
 * Which bytes before a checkpoint candidate are needed after it.
 *
 * Only back-references within the 32 KiB after a position can reach before it. While a candidate is open the decoder writes
 * every match to a ring, 8 bytes, and moves on where the match reaches before the newest candidate (without a branch): what
 * does not concerns no older one either. Once 32 KiB have passed, the matches that reach over the candidate are painted into a map of 32,768 bytes, and the window with all other bytes zero and the number of needed bytes come out. At
 * least three bytes a match make at most 11,100 matches from a candidate to its judgement: the ring never wraps onto one.
 * Rejected: marking each match's source in the loop (it costs every match a second copy, twice as wide when the distance
 * must be kept), and a window per candidate (at most one is kept, the best so far, by the TypeScript face).
 */
import { LOG, LOG_SIZE, REACH, WINDOW, WINDOW_SIZE } from './layout';
import { Log, Output } from './state';

/** Index in the window of its first needed byte; WINDOW_SIZE when none is. */
export let firstReached: u32 = WINDOW_SIZE;

/**
 * Writes the sparse window of the candidate at output position `position` (modulo 2^32), whose matches begin at `log` in the
 * ring, to WINDOW. Returns how many bytes of it are needed.
 */
export function judge(position: u32, log: usize): u32 {
  memory.fill(REACH, 0, WINDOW_SIZE);
  while (log != Log.next) {
    const match = load<u64>(LOG + log);
    const after = <u32>(match >> 32) - position;
    if (after >= <u32>WINDOW_SIZE) break;
    const distance = <u32>(match >> 16) & 0xffff;
    if (distance > after) {
      const length = <u32>match & 0xffff;
      const before = distance - after;
      paint(REACH + WINDOW_SIZE - before, length < before ? length : before);
    }
    log = (log + 8) & (LOG_SIZE - 1);
  }
  return mask(<usize>(position - Output.base) - WINDOW_SIZE);
}

/** Sets `length` (1–258) bytes, exactly. */
@inline
function paint(at: usize, length: usize): void {
  const ones = i8x16.splat(-1);
  if (length >= 16) {
    const end = at + length;
    do {
      v128.store(at, ones);
      at += 16;
    } while (at + 16 < end);
    v128.store(end - 16, ones);
  } else if (length >= 8) {
    store<u64>(at, ~0);
    store<u64>(at + length - 8, ~0);
  } else if (length >= 4) {
    store<u32>(at, 0xffffffff);
    store<u32>(at + length - 4, 0xffffffff);
  } else {
    for (let i: usize = 0; i < length; i++) store<u8>(at + i, 0xff);
  }
}

/** WINDOW = history AND map; counts the map. */
function mask(history: usize): u32 {
  let needed: u32 = 0;
  firstReached = <u32>WINDOW_SIZE;
  for (let i: usize = 0; i < WINDOW_SIZE; i += 16) {
    const map = v128.load(REACH + i);
    v128.store(WINDOW + i, v128.and(v128.load(history + i), map));
    const bits = i8x16.bitmask(map);
    if (bits != 0) {
      if (needed == 0) firstReached = <u32>i + ctz<u32>(bits);
      needed += popcnt<u32>(bits);
    }
  }
  return needed;
}
