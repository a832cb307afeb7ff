/**
 * The state that survives between calls of `run`. There is no bit buffer in it: every phase loads its own and gives whole
 * bytes back, so a place in the stream is always just a byte and a bit, which is also what a checkpoint records.
 */
import { HISTORY_SIZE, INPUT, LOG, OUTPUT } from './layout';

/** What `run` returns; the TypeScript face (gzip/core.ts) repeats the numbers. */
export const NEED_INPUT: i32 = 0;
export const STOPPED: i32 = 1;
export const BLOCK: i32 = 2;
export const END: i32 = 3;
export const BAD_BLOCK_TYPE: i32 = 4;
export const BAD_STORED_LENGTH: i32 = 5;
export const BAD_CODE_LENGTHS: i32 = 6;
export const BAD_SYMBOL: i32 = 7;
export const BAD_DISTANCE: i32 = 8;
/** Internal: the block's end-of-block symbol was read. */
export const END_OF_BLOCK: i32 = 9;

export const AT_HEADER: i32 = 0;
export const IN_STORED: i32 = 1;
export const IN_CODES: i32 = 2;
export const AT_END: i32 = 3;

export class Input {
  /** Address of the byte that holds the next bit, and that bit (0–7). With a bit above 0 the byte is there. */
  static next: usize = INPUT;
  static bit: u32 = 0;
  /** Address one past the last byte. */
  static end: usize = INPUT;
}

export class Output {
  /** Address at which the next byte is written. */
  static next: usize = OUTPUT + HISTORY_SIZE;
  /** Lowest address that a back-reference may reach: the start of the member or of the window given at a resume. */
  static floor: usize = OUTPUT + HISTORY_SIZE;
  /** Output position of address 0, modulo 2^32: addresses change when the buffer slides, positions do not. */
  static base: u32 = 0;
}

export class Block {
  static state: i32 = AT_HEADER;
  static final: bool = false;
  static storedLeft: u32 = 0;
  /** The tables in memory are those of fixed Huffman codes. */
  static fixedTables: bool = false;
  static litlenBits: u32 = 0;
  static distBits: u32 = 0;
  /** Bit in the first byte of the header copy at which the header begins, and the copy's bytes. */
  static headerBit: u32 = 0;
  static headerBytes: u32 = 0;
}

export class Log {
  static enabled: bool = false;
  /** Byte offset in the ring at which the next match is written. */
  static next: usize = 0;
  /** Output position (modulo 2^32) of the newest candidate: matches that do not reach before it concern no open one. */
  static newest: u32 = 0;
}
