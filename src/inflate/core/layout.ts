/**
 * Where everything lies in the memory of one decoder instance.
 *
 * Addresses are compile-time constants, so that V8 folds them into the loads of the hot loop. Memory never grows: what a
 * stream costs is decided here, whatever the stream says. The AssemblyScript runtime's own statics live below `BASE`.
 */

/** First address used here. */
export const BASE: usize = 0x4000;

/** Entries of the decode tables, u32 each: first level plus the most that subtables of a complete code can need. */
export const LITLEN_BITS: u32 = 11;
export const DIST_BITS: u32 = 9;
export const PRECODE_BITS: u32 = 7;
export const LITLEN: usize = BASE; // 4096 entries; 2342 are enough for 288 symbols, 11 bits
export const DIST: usize = LITLEN + 4096 * 4; // 2048 entries; 594 are enough for 32 symbols, 9 bits
export const PRECODE: usize = DIST + 2048 * 4; // 128 entries

/** What a symbol means, u32 each, before its code's length is added (see tables.ts). */
export const LITLEN_RESULTS: usize = PRECODE + 128 * 4;
export const DIST_RESULTS: usize = LITLEN_RESULTS + 288 * 4;
export const PRECODE_RESULTS: usize = DIST_RESULTS + 32 * 4;

/** Scratch of the table builder: code lengths (u8), codes per length (u32), offsets per length (u32), sorted symbols (u16). */
export const LENGTHS: usize = PRECODE_RESULTS + 32 * 4;
export const COUNTS: usize = LENGTHS + 512;
export const OFFSETS: usize = COUNTS + 64;
export const SORTED: usize = OFFSETS + 64;

/** For each distance below 16, the byte order that repeats its first bytes over 16 (see copy.ts). */
export const PATTERNS: usize = SORTED + 1024;
/** For each distance below 16, how far one store of the repeated pattern may advance: its largest multiple up to 16; u8. */
export const STRIDES: usize = PATTERNS + 256;

/** Copy of the current block's header: 17 + 19×3 + 316×14 bits and a partial byte at either end are at most 565 bytes. */
export const HEADER: usize = STRIDES + 16;
export const HEADER_SIZE: usize = 640;

/** Ring of the matches seen while a checkpoint candidate is open, u64 each (see reach.ts). */
export const LOG: usize = HEADER + HEADER_SIZE;
export const LOG_SIZE: usize = 16384 * 8;

/** Which of the 32 KiB before a candidate are reached (one byte each, 0 or 255), and these bytes with zeros elsewhere. */
export const WINDOW_SIZE: usize = 32768;
export const REACH: usize = LOG + LOG_SIZE;
export const WINDOW: usize = REACH + WINDOW_SIZE;

/** Tables, vectors under way and what is left of them (see crc.ts). */
export const CRC_TABLES: usize = WINDOW + WINDOW_SIZE;
export const CRC_SCRATCH: usize = CRC_TABLES + 8192;
export const CRC_RESIDUE: usize = CRC_SCRATCH + 16384 + 203 * 16;

/** Compressed bytes; the slack lets the last word-sized load run over the end. */
export const INPUT: usize = CRC_RESIDUE + 203 * 16;
export const INPUT_SIZE: usize = 262144;

/**
 * Output: history, then room. Twice the window is kept when the buffer slides, because a candidate is judged 32 KiB after
 * its position and then still needs the 32 KiB before it. A match may overshoot the end by 257 bytes and its copy by 32.
 */
export const OUTPUT: usize = INPUT + INPUT_SIZE + 64;
export const HISTORY_SIZE: usize = 2 * WINDOW_SIZE + 1024;
export const OUTPUT_SIZE: usize = HISTORY_SIZE + 524288;
export const MEMORY_SIZE: usize = OUTPUT + OUTPUT_SIZE + 512;
