/**
 * The careful loop: one symbol at a time, at the edges of input and output. A symbol is decoded whole (length, distance and
 * all extra bits are at most 48 bits) or not at all, so it can stop anywhere and go on when there is more input. Missing bits
 * read as zeros; an entry counts only if its bits are there.
 */

import { copyMatch } from './copy';
import { DIST, LITLEN, LOG, LOG_SIZE } from './layout';
import { BAD_DISTANCE, BAD_SYMBOL, Block, END_OF_BLOCK, Input, Log, NEED_INPUT, Output, STOPPED } from './state';
import { END_SYMBOL, EXCEPTIONAL, LITERAL, SUBTABLE } from './tables';

/**
 * Decodes until output is at or past `stop` (STOPPED; at most 257 bytes past), input ends inside a symbol (NEED_INPUT),
 * END_OF_BLOCK, or an error.
 */
export function decodeSlow(stop: usize): i32 {
  const litlenMask: u64 = (1 << <u64>Block.litlenBits) - 1;
  const distMask: u64 = (1 << <u64>Block.distBits) - 1;
  const end = Input.end;
  let next = Input.next;
  let buffer: u64 = 0;
  let count: u32 = 0;
  let out = Output.next;
  let status = STOPPED;
  if (next < end) {
    buffer = <u64>load<u8>(next++) >> Input.bit;
    count = 8 - Input.bit;
  }
  while (out < stop) {
    while (count <= 56 && next < end) {
      buffer |= <u64>load<u8>(next++) << count;
      count += 8;
    }
    // Bits used by this symbol; consumed only when all of it is there.
    let used: u32 = 0;
    let entry = load<u32>(LITLEN + (<usize>(buffer & litlenMask) << 2));
    if (entry & SUBTABLE) {
      used = entry & 0xff;
      const index = (buffer >> used) & ((<u64>1 << ((entry >> 8) & 63)) - 1);
      entry = load<u32>(LITLEN + (<usize>(entry >> 16) + <usize>index << 2));
    }
    const lengthBits = used + (entry & 0xff);
    if (lengthBits > count) {
      status = NEED_INPUT;
      break;
    }
    if (entry & LITERAL) {
      store<u8>(out++, <u8>(entry >> 16));
      buffer >>= lengthBits;
      count -= lengthBits;
      continue;
    }
    if (entry & EXCEPTIONAL) {
      buffer >>= lengthBits;
      count -= lengthBits;
      status = entry & END_SYMBOL ? END_OF_BLOCK : BAD_SYMBOL;
      break;
    }
    const length = extend(entry, buffer >> used);
    used = lengthBits;
    entry = load<u32>(DIST + (<usize>((buffer >> used) & distMask) << 2));
    if (entry & SUBTABLE) {
      const bits = entry & 0xff;
      const index = (buffer >> (used + bits)) & ((<u64>1 << ((entry >> 8) & 63)) - 1);
      used += bits;
      entry = load<u32>(DIST + (<usize>(entry >> 16) + <usize>index << 2));
    }
    const bits = used + (entry & 0xff);
    if (bits > count) {
      status = NEED_INPUT;
      break;
    }
    if (entry & EXCEPTIONAL) {
      status = BAD_SYMBOL;
      break;
    }
    const distance = extend(entry, buffer >> used);
    if (distance > out - Output.floor) {
      status = BAD_DISTANCE;
      break;
    }
    buffer >>= bits;
    count -= bits;
    if (Log.enabled && distance > <usize>(Output.base + <u32>out - Log.newest)) {
      store<u64>(LOG + Log.next, (<u64>(Output.base + <u32>out) << 32) | (<u64>distance << 16) | <u64>length);
      Log.next = (Log.next + 8) & (LOG_SIZE - 1);
    }
    copyMatch(out, distance, length);
    out += length;
  }
  const position = (next << 3) - count;
  Input.next = position >> 3;
  Input.bit = position & 7;
  Output.next = out;
  return status;
}

/** Base plus extra bits: the entry's code is at the low end of `bits`. */
@inline
function extend(entry: u32, bits: u64): usize {
  const extra = (bits & ((<u64>1 << (entry & 63)) - 1)) >> ((entry >> 8) & 63);
  return <usize>(entry >> 16) + <usize>extra;
}
