import { ClipError } from '../../errors.js';

/** Little-endian magic numbers (RFC 8878, sections 3.1.1 and 3.1.2). */
export const ZSTD_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

/** The largest window that is decoded: what `zstd --long=27` makes, and the decoders' own limit. */
export const MAX_WINDOW = 128 << 20;

/** No block yields or holds more (RFC 8878, section 3.1.1.2.4). */
const MAX_BLOCK = 128 << 10;

export function isSkippableMagic(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC;
}

export interface FrameHeader {
  /** Uncompressed bytes of the frame; undefined when the header does not say. */
  contentSize: number | undefined;
  /** The frame ends with 4 bytes of its content's XXH64. */
  hasChecksum: boolean;
  /** The most bytes that a block holds, compressed or not. */
  maxBlock: number;
}

/** Bytes of a frame header after its descriptor byte, 0–13. */
export function headerRest(descriptor: number): number {
  return windowBytes(descriptor) + dictionaryBytes(descriptor) + contentBytes(descriptor);
}

/**
 * Parses the header that follows a frame's magic: `bytes` are the descriptor and its `headerRest` bytes (RFC 8878, section
 * 3.1.1.1).
 * @throws ClipError CORRUPT_LAYER (reserved bit), UNSUPPORTED (dictionary, or a window over MAX_WINDOW).
 */
export function parseFrameHeader(bytes: Uint8Array): FrameHeader {
  const descriptor = bytes[0]!;
  if (descriptor & 0x08) throw new ClipError('CORRUPT_LAYER', 'zstd frame header has its reserved bit set');
  let at = 1 + windowBytes(descriptor);
  const dictionary = littleEndian(bytes.subarray(at, at + dictionaryBytes(descriptor)));
  at += dictionaryBytes(descriptor);
  if (dictionary !== 0) {
    throw new ClipError('UNSUPPORTED', `zstd frame needs dictionary ${dictionary}`, {
      hint: 'a layer has no place for a dictionary; recompress it without one',
    });
  }
  const width = contentBytes(descriptor);
  const announced = littleEndian(bytes.subarray(at, at + width)) + (width === 2 ? 256 : 0);
  const contentSize = width === 0 ? undefined : announced;
  const windowSize = windowBytes(descriptor) === 0 ? announced : parseWindow(bytes[1]!);
  if (windowSize > MAX_WINDOW) {
    throw new ClipError(
      'UNSUPPORTED',
      `zstd frame needs a window of ${windowSize} bytes, over ${MAX_WINDOW}`,
      {
        hint: 'recompress the layer without --long, or with --long=27 at most',
      },
    );
  }
  if (announced > Number.MAX_SAFE_INTEGER) {
    throw new ClipError('CORRUPT_LAYER', 'zstd frame announces more than 2^53 bytes');
  }
  return {
    contentSize,
    hasChecksum: (descriptor & 0x04) !== 0,
    maxBlock: Math.min(windowSize, MAX_BLOCK),
  };
}

function isSingleSegment(descriptor: number): boolean {
  return (descriptor & 0x20) !== 0;
}

function windowBytes(descriptor: number): 0 | 1 {
  return isSingleSegment(descriptor) ? 0 : 1;
}

function dictionaryBytes(descriptor: number): number {
  return [0, 1, 2, 4][descriptor & 3]!;
}

function contentBytes(descriptor: number): number {
  return [isSingleSegment(descriptor) ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
}

/** Window_Descriptor: 5 bits of exponent over 1 KiB, 3 bits of eighths. */
function parseWindow(byte: number): number {
  const base = 2 ** (10 + (byte >> 3));
  return base + (base / 8) * (byte & 7);
}

/** Exact up to 2^53; larger values are rounded, which is enough to refuse them. */
function littleEndian(bytes: Uint8Array): number {
  let value = 0;
  for (let at = bytes.length - 1; at >= 0; at--) value = value * 256 + bytes[at]!;
  return value;
}
