import { setImmediate } from 'node:timers/promises';
import type { XXHash, XXHashAPI } from 'xxhash-wasm';
import { ClipError } from '../../errors.js';
import type { FrameDecoder, FrameStream } from './frame-decoder.js';
import type { FrameHeader } from './frame-header.js';
import { createFrameWalk } from './frame-walk.js';
import { loadFrameDecoder } from './load-frame-decoder.js';

/**
 * Decodes a zstd stream frame by frame. The walk says what a frame is, a decoder turns it into bytes, and the size and the XXH64
 * that the frame states are compared here, whatever the decoder makes of them.
 */

export type FrameEvent =
  /** A frame begins at compressed offset `byte`. `length` is its uncompressed size where that is known beforehand. */
  | { type: 'frame'; byte: number; length: number | undefined }
  /** The frame's next uncompressed bytes; valid until the next event is asked for. */
  | { type: 'data'; bytes: Uint8Array }
  /** The frame ended before compressed offset `byte`, and holds what it stated. */
  | { type: 'end'; byte: number }
  /** A skippable frame passed: `size` compressed bytes. */
  | { type: 'skipped'; size: number };

export interface Frames {
  /**
   * What the next compressed bytes hold. Consume all of it, or nothing more: then call `close`.
   * @throws ClipError CORRUPT_LAYER, UNSUPPORTED (dictionary, window over 128 MiB), LIMIT (out of memory).
   */
  push(chunk: Uint8Array): AsyncGenerator<FrameEvent, void, undefined>;
  /** @throws ClipError CORRUPT_LAYER when the stream ends inside a frame. */
  end(): void;
  /** Frees the decoder's memory; harmless when repeated. Must be called where `push` failed or the stream was left early. */
  close(): void;
}

export interface FramesOptions {
  /** Compressed offset of the first byte to come, default 0. */
  start?: number;
  /** Default: the one for the running Node. */
  decoder?: FrameDecoder | undefined;
}

/**
 * A frame within both limits is decoded in one call: most frames of an image that has many are small, and a stream for each would
 * cost more than decoding it. They are facts of the frame, not of how its bytes arrive, since the cut of spans depends on them.
 */
const WHOLE_COMPRESSED = 256 << 10;
const WHOLE_BOUND = 4 << 20;

/**
 * Work after which timers and signals get their turn, in bytes of output; a frame counts as FRAME_WORK more. Without it a bomb
 * that arrived in one chunk would hold the event loop for seconds.
 */
const TURN = 16 << 20;
const FRAME_WORK = 64 << 10;

/** XXH64 is fed pieces of this size, so that its memory stays small. */
const HASH_PIECE = 64 << 10;

const EMPTY = new Uint8Array(0);

interface Current {
  byte: number;
  header: FrameHeader;
  /** The frame's compressed bytes while it may still be decoded in one call. */
  held: Uint8Array[];
  heldSize: number;
  stream: FrameStream | undefined;
  hash: XXHash<bigint> | undefined;
  /** Uncompressed bytes so far. */
  made: number;
}

export function createFrames({ start = 0, decoder }: FramesOptions = {}): Frames {
  const walk = createFrameWalk(start);
  let xxhash: XXHashAPI | undefined;
  let current: Current | undefined;
  let sinceTurn = 0;

  async function work(amount: number): Promise<void> {
    sinceTurn += amount;
    if (sinceTurn < TURN) return;
    sinceTurn = 0;
    await setImmediate();
  }

  async function load(): Promise<void> {
    decoder ??= await loadFrameDecoder();
    xxhash ??= await (await import('xxhash-wasm')).default();
  }

  async function* data(frame: Current, bytes: Uint8Array): AsyncGenerator<FrameEvent, void, undefined> {
    frame.made += bytes.length;
    if (frame.made > (frame.header.contentSize ?? Number.POSITIVE_INFINITY)) throw wrongSize(frame);
    if (frame.hash !== undefined) {
      for (let at = 0; at < bytes.length; at += HASH_PIECE)
        frame.hash.update(bytes.subarray(at, at + HASH_PIECE));
    }
    yield { type: 'data', bytes };
    await work(bytes.length);
  }

  /** Gives up on decoding in one call: opens a stream and hands it what was held. */
  async function* openStream(frame: Current): AsyncGenerator<FrameEvent, void, undefined> {
    yield { type: 'frame', byte: frame.byte, length: frame.header.contentSize };
    frame.stream = decoder!.open();
    for (const piece of frame.held) {
      for await (const bytes of frame.stream.write(piece)) yield* data(frame, bytes);
    }
    frame.held = [];
  }

  async function* take(frame: Current, bytes: Uint8Array): AsyncGenerator<FrameEvent, void, undefined> {
    if (frame.stream === undefined) {
      frame.heldSize += bytes.length;
      if (frame.heldSize <= WHOLE_COMPRESSED) {
        frame.held.push(Buffer.from(bytes));
        return;
      }
      yield* openStream(frame);
    }
    for await (const piece of frame.stream!.write(bytes)) yield* data(frame, piece);
  }

  async function* finish(frame: Current, bound: number): AsyncGenerator<FrameEvent, void, undefined> {
    if (frame.stream === undefined && bound > WHOLE_BOUND) yield* openStream(frame);
    if (frame.stream === undefined) {
      const size = frame.header.contentSize ?? bound;
      if (size > bound) throw wrongSize(frame);
      const bytes = bound === 0 ? EMPTY : decoder!.whole(Buffer.concat(frame.held), size);
      yield { type: 'frame', byte: frame.byte, length: bytes.length };
      if (bytes.length > 0) yield* data(frame, bytes);
    } else {
      for await (const bytes of frame.stream.end()) yield* data(frame, bytes);
    }
  }

  function verify(frame: Current, checksum: number | undefined): void {
    if (frame.made !== (frame.header.contentSize ?? frame.made)) throw wrongSize(frame);
    if (frame.hash !== undefined && Number(frame.hash.digest() & 0xffffffffn) !== checksum) {
      throw new ClipError('CORRUPT_LAYER', `zstd frame at byte ${frame.byte} does not match its checksum`);
    }
  }

  function close(): void {
    current?.stream?.close();
    current = undefined;
  }

  return {
    async *push(chunk) {
      if (xxhash === undefined) await load();
      for (const event of walk.push(chunk)) {
        switch (event.type) {
          case 'frame': {
            const { byte, header } = event;
            const hash = header.hasChecksum ? xxhash!.create64() : undefined;
            current = { byte, header, held: [], heldSize: 0, stream: undefined, hash, made: 0 };
            break;
          }
          case 'bytes':
            yield* take(current!, event.bytes);
            break;
          case 'end':
            yield* finish(current!, event.bound);
            verify(current!, event.checksum);
            close();
            yield { type: 'end', byte: event.byte };
            await work(FRAME_WORK);
            break;
          case 'skipped':
            yield event;
            break;
        }
      }
    },
    end: () => walk.end(),
    close,
  };
}

function wrongSize({ byte, header }: Current): ClipError {
  return new ClipError(
    'CORRUPT_LAYER',
    `zstd frame at byte ${byte} does not hold the ${header.contentSize} bytes it announces`,
  );
}
