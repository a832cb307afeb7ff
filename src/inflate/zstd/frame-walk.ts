import { ClipError } from '../../errors.js';
import {
  type FrameHeader,
  headerRest,
  isSkippableMagic,
  parseFrameHeader,
  ZSTD_MAGIC,
} from './frame-header.js';

/**
 * Finds where the frames of a zstd stream begin and end, from frame and block headers alone (RFC 8878, section 3.1): nothing is
 * decoded, so a decoder can be given exactly one frame, and never meets what is between or behind frames.
 */

export type WalkEvent =
  /** A frame begins at compressed offset `byte`. */
  | { type: 'frame'; byte: number; header: FrameHeader }
  /** The next bytes of the frame, headers and checksum included. A view of the pushed chunk or of a buffer that is used again. */
  | { type: 'bytes'; bytes: Uint8Array }
  /**
   * The frame ended before compressed offset `byte`; its blocks yield at most `bound` bytes. `checksum` is the low 32 bits of
   * its content's XXH64.
   */
  | { type: 'end'; byte: number; bound: number; checksum: number | undefined }
  /** A skippable frame passed: `size` compressed bytes with its header. */
  | { type: 'skipped'; size: number };

export interface FrameWalk {
  /**
   * What `chunk`, the next compressed bytes, holds. The events must be consumed before the next push.
   * @throws ClipError CORRUPT_LAYER, UNSUPPORTED.
   */
  push(chunk: Uint8Array): Generator<WalkEvent, void, undefined>;
  /** @throws ClipError CORRUPT_LAYER when the stream ends inside a frame. */
  end(): void;
}

/** What the field that is being gathered is, or what is passed over. */
type State = 'magic' | 'descriptor' | 'header' | 'block' | 'body' | 'checksum' | 'skip-size' | 'skip';

/** `start`: the compressed offset of the first byte to come. */
export function createFrameWalk(start = 0): FrameWalk {
  let state: State = 'magic';
  /** Header fields may be split between chunks; they are gathered here: magic, descriptor, rest of the header. */
  const field = new Uint8Array(4 + 1 + 13);
  let have = 0;
  let need = 4;
  /** Bytes of a block or skippable frame still to pass. */
  let left = 0;
  let frameByte = start;
  let bound = 0;
  let isLastBlock = false;
  let header: FrameHeader | undefined;
  /** Compressed offset of the current chunk's first byte. */
  let base = start;

  function expect(next: State, bytes: number): void {
    state = next;
    have = 0;
    need = bytes;
  }

  function afterBlock(): void {
    if (!isLastBlock) expect('block', 3);
    else if (header!.hasChecksum) expect('checksum', 4);
    else expect('magic', 4);
  }

  /** Reads a Block_Header (RFC 8878, section 3.1.1.2). */
  function beginBlock(): void {
    const bits = field[0]! | (field[1]! << 8) | (field[2]! << 16);
    const type = (bits >> 1) & 3;
    const size = bits >> 3;
    isLastBlock = (bits & 1) !== 0;
    if (type === 3) throw corrupt('has a block of the reserved type', frameByte);
    if (size > header!.maxBlock) throw corrupt('has a block larger than its window allows', frameByte);
    bound += type === 2 ? header!.maxBlock : size;
    left = type === 1 ? 1 : size;
    if (left === 0) afterBlock();
    else state = 'body';
  }

  return {
    *push(chunk) {
      let at = 0;
      /** Where the frame's bytes that were not handed on yet begin in the chunk. */
      let from = 0;
      let inFrame = state === 'block' || state === 'body' || state === 'checksum';
      while (at < chunk.length) {
        if (state === 'body' || state === 'skip') {
          const step = Math.min(left, chunk.length - at);
          at += step;
          left -= step;
          if (left > 0) break;
          if (state === 'skip') expect('magic', 4);
          else afterBlock();
        } else {
          if (state === 'magic' && have === 0) frameByte = base + at;
          while (have < need && at < chunk.length) field[have++] = chunk[at++]!;
          if (have < need) break;
          switch (state) {
            case 'magic': {
              const magic = readUint32(field, 0);
              if (isSkippableMagic(magic)) expect('skip-size', 4);
              else if (magic === ZSTD_MAGIC) {
                state = 'descriptor';
                need = 5;
              } else throw corrupt('is neither a zstd nor a skippable frame', frameByte);
              break;
            }
            case 'descriptor':
              state = 'header';
              need = 5 + headerRest(field[4]!);
              break;
            case 'header':
              header = parseFrameHeader(field.subarray(4, need));
              bound = 0;
              yield { type: 'frame', byte: frameByte, header };
              yield { type: 'bytes', bytes: field.subarray(0, need) };
              from = at;
              inFrame = true;
              expect('block', 3);
              break;
            case 'block':
              beginBlock();
              break;
            case 'skip-size':
              left = readUint32(field, 0);
              yield { type: 'skipped', size: left + 8 };
              if (left === 0) expect('magic', 4);
              else state = 'skip';
              break;
            case 'checksum':
              expect('magic', 4);
              break;
          }
        }
        if (inFrame && state === 'magic') {
          const checksum = header!.hasChecksum ? readUint32(field, 0) : undefined;
          if (at > from) yield { type: 'bytes', bytes: chunk.subarray(from, at) };
          yield { type: 'end', byte: base + at, bound, checksum };
          inFrame = false;
        }
      }
      if (inFrame && at > from) yield { type: 'bytes', bytes: chunk.subarray(from, at) };
      base += chunk.length;
    },
    end() {
      if (state !== 'magic' || have > 0) throw corrupt('is cut off', frameByte);
    },
  };
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function corrupt(what: string, byte: number): ClipError {
  return new ClipError('CORRUPT_LAYER', `zstd frame at byte ${byte} ${what}`);
}
