/**
 * A DEFLATE decoder (RFC 1951) over two buffers in its own memory, for one stream at a time. The caller fills the input
 * buffer, calls `run` with the output address to stop at, and takes what was written. It stops at any input or output
 * boundary and goes on from there; between calls its place in the stream is a byte and a bit.
 *
 * Safe on hostile input: every read of input is checked against its end, every distance against the start of history, every
 * write against the stop address plus a match, and codes are taken or refused exactly as zlib does.
 */

import { initPatterns } from './copy';
import { crc32, initCrc } from './crc';
import { decodeFast, decodeFastLogged, INPUT_SLACK, OUTPUT_SLACK } from './fast';
import { HEADER_READ, readHeader } from './header';
import {
  BASE, HEADER, HISTORY_SIZE, INPUT, INPUT_SIZE, MEMORY_SIZE, OUTPUT, OUTPUT_SIZE, WINDOW, WINDOW_SIZE,
} from './layout';
import { firstReached, judge } from './reach';
import { decodeSlow } from './slow';
import {
  AT_END,
  AT_HEADER,
  BLOCK,
  Block,
  END,
  END_OF_BLOCK,
  IN_CODES,
  IN_STORED,
  Input,
  Log,
  NEED_INPUT,
  Output,
  STOPPED,
} from './state';
import { initResults } from './tables';

// The layout and the memory that scripts/build-wasm.js asks for must agree: else no instance starts.
if (__heap_base > BASE || MEMORY_SIZE > <usize>memory.size() << 16) unreachable();

initResults();
initPatterns();
initCrc();

export { crc32, judge };
export const inputStart: usize = INPUT;
export const inputSize: usize = INPUT_SIZE;
export const outputStart: usize = OUTPUT;
export const outputSize: usize = OUTPUT_SIZE;
export const historySize: usize = HISTORY_SIZE;
export const headerStart: usize = HEADER;
export const windowStart: usize = WINDOW;

/** Forgets the stream: empty buffers, no history, a block header next. */
export function reset(): void {
  Input.next = INPUT;
  Input.bit = 0;
  Input.end = INPUT;
  Output.next = OUTPUT + HISTORY_SIZE;
  Output.base = 0;
  Log.enabled = false;
  Log.next = 0;
  beginMember(0);
}

/** A DEFLATE body begins at the next input byte; the last `window` (0–32,768) bytes before the output end are its history. */
export function beginMember(window: usize): void {
  Block.state = AT_HEADER;
  Output.floor = Output.next - window;
}

export function inputNext(): usize {
  return Input.next;
}

export function inputBit(): u32 {
  return Input.bit;
}

export function inputEnd(): usize {
  return Input.end;
}

/** Moves the place in the input: `next` ≤ the end; a `bit` above 0 only where that byte is there. */
export function seekInput(next: usize, bit: u32): void {
  Input.next = next;
  Input.bit = bit;
}

/** `end` bytes lie in the input buffer, up to this address. */
export function setInputEnd(end: usize): void {
  Input.end = end;
}

/** Moves the bytes that are left to the front of the input buffer. */
export function compactInput(): void {
  const left = Input.end - Input.next;
  memory.copy(INPUT, Input.next, left);
  Input.next = INPUT;
  Input.end = INPUT + left;
}

export function outputNext(): usize {
  return Output.next;
}

/**
 * Moves the history to the front of the output buffer; returns by how many bytes addresses went down, a multiple of 8: a byte of the stream
 * keeps its place within a word, and who copies the stream piece by piece copies words.
 */
export function slideOutput(): usize {
  const shift = (Output.next - (OUTPUT + HISTORY_SIZE)) & ~7;
  memory.copy(OUTPUT, OUTPUT + shift, Output.next - OUTPUT - shift);
  Output.next -= shift;
  Output.base += <u32>shift;
  // Once the start of the member has left the buffer every distance up to 32 KiB has its byte.
  Output.floor = Output.floor > OUTPUT + shift ? Output.floor - shift : OUTPUT;
  return shift;
}

/** Output position of the next byte, modulo 2^32, for `judge`. */
export function outputPosition(): u32 {
  return Output.base + <u32>Output.next;
}

/** A checkpoint candidate is here: notes matches until `closeCandidates`. Returns where its own begin, for `judge`. */
export function openCandidate(): usize {
  // From the ring's start again when no other is open: the less of it is used, the more stays in the first-level cache.
  if (!Log.enabled) Log.next = 0;
  Log.enabled = true;
  Log.newest = outputPosition();
  return Log.next;
}

export function closeCandidates(): void {
  Log.enabled = false;
}

export function firstNeeded(): u32 {
  return firstReached;
}

export function blockState(): i32 {
  return Block.state;
}

export function headerBit(): u32 {
  return Block.headerBit;
}

export function headerBytes(): u32 {
  return Block.headerBytes;
}

/** Reads a block header alone: 1 when a Huffman-coded block follows, 0 where that is not what the input holds. */
export function loadHeader(): i32 {
  return readHeader() == HEADER_READ && Block.state == IN_CODES ? 1 : 0;
}

/**
 * Decodes until output is at or past `stop` (STOPPED; at most 257 bytes past, at a symbol boundary or inside a stored
 * block), input ends (NEED_INPUT), a block ends at or past `reportFrom` and another follows (BLOCK), the final block ends (END,
 * input at the byte after it), or an error.
 */
export function run(stop: usize, reportFrom: usize): i32 {
  while (true) {
    let status: i32;
    if (Block.state == IN_CODES) {
      status = codes(stop);
    } else if (Block.state == IN_STORED) {
      status = stored(stop);
    } else if (Block.state == AT_HEADER) {
      if (Output.next >= stop) return STOPPED;
      status = readHeader();
      if (status == HEADER_READ) continue;
    } else {
      return END;
    }
    if (status != END_OF_BLOCK) return status;
    if (Block.final) {
      Block.state = AT_END;
      if (Input.bit != 0) {
        Input.next++;
        Input.bit = 0;
      }
      return END;
    }
    Block.state = AT_HEADER;
    if (Output.next >= reportFrom) return BLOCK;
  }
}

function codes(stop: usize): i32 {
  if (Input.end - Input.next >= INPUT_SLACK && Output.next + OUTPUT_SLACK <= stop) {
    const limit = stop - OUTPUT_SLACK;
    const status = Log.enabled ? decodeFastLogged(limit) : decodeFast(limit);
    if (status != NEED_INPUT) return status;
  }
  return decodeSlow(stop);
}

function stored(stop: usize): i32 {
  let length = min(<usize>Block.storedLeft, Input.end - Input.next);
  if (length > 0 && Output.next >= stop) return STOPPED;
  length = min(length, stop - Output.next);
  memory.copy(Output.next, Input.next, length);
  Output.next += length;
  Input.next += length;
  Block.storedLeft -= <u32>length;
  if (Block.storedLeft == 0) return END_OF_BLOCK;
  return Output.next >= stop ? STOPPED : NEED_INPUT;
}
