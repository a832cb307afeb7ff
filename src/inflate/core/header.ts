/**
 * Block headers (RFC 1951, sections 3.2.3 to 3.2.7). A header is read whole or not at all: where input ends inside it nothing
 * is consumed, and it is read again when more is there. It is at most 565 bytes long, so that costs little even when input
 * comes byte by byte, and it is what makes the header's bytes available in one piece for `symbol` checkpoints.
 */
import { HEADER, LENGTHS, PRECODE } from './layout';
import {
  BAD_BLOCK_TYPE, BAD_CODE_LENGTHS, BAD_STORED_LENGTH, Block, IN_CODES, IN_STORED, Input, NEED_INPUT,
} from './state';
import { buildFixedTables, buildPrecode, buildTables } from './tables';

/** The header was read; Block says what follows. */
export const HEADER_READ: i32 = -1;

/** The order in which the lengths of the code length code are sent. */
const PRECODE_ORDER: StaticArray<u8> = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A little bit reader for this file alone: word-sized refills where there is room, else by byte. */
let buffer: u64 = 0;
let count: u32 = 0;
let next: usize = 0;

@inline
function refill(): void {
  if (Input.end - next >= 8) {
    buffer |= load<u64>(next) << count;
    next += (63 - count) >> 3;
    count |= 56;
  } else {
    while (count <= 56 && next < Input.end) {
      buffer |= <u64>load<u8>(next++) << count;
      count += 8;
    }
  }
}

@inline
function consume(bits: u32): void {
  buffer >>= bits;
  count -= bits;
}

/** Reads the header of the next block: HEADER_READ, NEED_INPUT with nothing consumed, or an error. */
export function readHeader(): i32 {
  const start = Input.next;
  const startBit = Input.bit;
  if (start >= Input.end) return NEED_INPUT;
  buffer = <u64>load<u8>(start) >> startBit;
  count = 8 - startBit;
  next = start + 1;
  refill();
  if (count < 3) return NEED_INPUT;
  const final = <bool>(buffer & 1);
  const type = <u32>(buffer >> 1) & 3;
  consume(3);
  if (type == 3) return BAD_BLOCK_TYPE;
  if (type == 0) return readStored(final);
  if (type == 1) {
    buildFixedTables();
  } else {
    const status = readDynamic();
    if (status != HEADER_READ) return status;
  }
  const position = (next << 3) - count;
  Input.next = position >> 3;
  Input.bit = position & 7;
  Block.state = IN_CODES;
  Block.final = final;
  Block.headerBit = startBit;
  Block.headerBytes = ((position + 7) >> 3) - start;
  memory.copy(HEADER, start, Block.headerBytes);
  return HEADER_READ;
}

function readStored(final: bool): i32 {
  // LEN and NLEN follow at the next byte boundary.
  const at = next - (count >> 3);
  if (at + 4 > Input.end) return NEED_INPUT;
  const length = <u32>load<u16>(at);
  if ((length ^ <u32>load<u16>(at, 2)) != 0xffff) return BAD_STORED_LENGTH;
  Input.next = at + 4;
  Input.bit = 0;
  Block.state = IN_STORED;
  Block.final = final;
  Block.storedLeft = length;
  return HEADER_READ;
}

function readDynamic(): i32 {
  refill();
  if (count < 14) return NEED_INPUT;
  const litlenCount: u32 = 257 + (<u32>buffer & 31);
  const distCount: u32 = 1 + (<u32>(buffer >> 5) & 31);
  const precodeCount: u32 = 4 + (<u32>(buffer >> 10) & 15);
  consume(14);
  // Symbols 286 and up, and distances 30 and up, cannot be sent (zlib refuses them here too).
  if (litlenCount > 286 || distCount > 30) return BAD_CODE_LENGTHS;
  memory.fill(LENGTHS, 0, 19);
  for (let i: u32 = 0; i < precodeCount; i++) {
    if (count < 3) {
      refill();
      if (count < 3) return NEED_INPUT;
    }
    store<u8>(LENGTHS + <usize>unchecked(PRECODE_ORDER[i]), <u8>(buffer & 7));
    consume(3);
  }
  const bits = buildPrecode();
  if (bits == 0) return BAD_CODE_LENGTHS;
  const status = readLengths(litlenCount + distCount, (1 << bits) - 1);
  if (status != HEADER_READ) return status;
  return buildTables(litlenCount, distCount) ? HEADER_READ : BAD_CODE_LENGTHS;
}

/** Reads the run-length coded lengths of both codes into LENGTHS. */
function readLengths(total: u32, mask: u64): i32 {
  let at: u32 = 0;
  while (at < total) {
    // A symbol and its extra bits are at most 14 bits.
    if (count < 14) refill();
    const entry = load<u32>(PRECODE + (<usize>(buffer & mask) << 2));
    const length = entry & 0xff;
    if (count < length) return NEED_INPUT;
    const symbol = entry >> 16;
    if (symbol < 16) {
      consume(length);
      store<u8>(LENGTHS + at++, <u8>symbol);
      continue;
    }
    const extra: u32 = symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
    if (count < length + extra) return NEED_INPUT;
    consume(length);
    const repeat: u32 = (symbol == 18 ? 11 : 3) + (<u32>buffer & ((1 << extra) - 1));
    consume(extra);
    if (repeat > total - at || (symbol == 16 && at == 0)) return BAD_CODE_LENGTHS;
    memory.fill(LENGTHS + at, symbol == 16 ? load<u8>(LENGTHS + at - 1) : 0, repeat);
    at += repeat;
  }
  return HEADER_READ;
}
