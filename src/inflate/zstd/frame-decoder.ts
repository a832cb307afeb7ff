import { ClipError } from '../../errors.js';

/** What turns one zstd frame into bytes: Node's own zstd where it has one, libzstd as WebAssembly elsewhere. */
export interface FrameDecoder {
  readonly name: 'native' | 'wasm';
  /**
   * Decodes one whole frame that yields at most `bound` bytes. The result is valid until the next call.
   * @throws ClipError CORRUPT_LAYER.
   */
  whole(frame: Uint8Array, bound: number): Uint8Array;
  /** Starts a frame that is decoded as its bytes come. */
  open(): FrameStream;
}

/** One frame in the making. `close` must be called once, whatever happened before. */
export interface FrameStream {
  /**
   * The bytes that `chunk`, the frame's next compressed bytes, lets out, in pieces of bounded size; each is valid until the next
   * is asked for. Nothing is decoded ahead of the consumer but one piece.
   * @throws ClipError CORRUPT_LAYER, LIMIT (out of memory).
   */
  write(chunk: Uint8Array): AsyncGenerator<Uint8Array, void, undefined>;
  /** What is left after the frame's last byte. @throws ClipError CORRUPT_LAYER when the decoder wants more. */
  end(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Frees the decoder's memory. */
  close(): void;
}

export function undecodable(cause: unknown): ClipError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ClipError('CORRUPT_LAYER', `zstd frame cannot be decoded: ${reason}`, { cause });
}
