import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { ClipError } from '../../errors.js';
import { type FrameDecoder, type FrameStream, undecodable } from './frame-decoder.js';
import { MAX_WINDOW } from './frame-header.js';

/** The part of node:zlib that Node has from 22.15 and 23.8 on. */
interface ZstdOptions {
  chunkSize: number;
  maxOutputLength?: number;
  params: Record<number, number>;
}
interface NodeZstd {
  createZstdDecompress(options: ZstdOptions): Transform;
  zstdDecompressSync(bytes: Uint8Array, options: ZstdOptions): Buffer;
  constants: { ZSTD_d_windowLogMax: number };
}

/** Bytes of output between two turns of the thread pool. */
const PIECE = 1 << 20;

/** Node refuses smaller pieces. */
const SMALLEST_PIECE = 64;

/** Milliseconds that the decoder may work on one piece: it takes about one, so this is a decoder that will never answer. */
const DEADLINE = 30_000;

/** Node's own zstd; undefined where the running Node has none. */
export function nativeFrameDecoder(): FrameDecoder | undefined {
  const node = zlib as unknown as Partial<NodeZstd>;
  if (node.createZstdDecompress === undefined || node.zstdDecompressSync === undefined) return undefined;
  const { createZstdDecompress, zstdDecompressSync } = node;
  const params = { [node.constants!.ZSTD_d_windowLogMax]: Math.log2(MAX_WINDOW) };
  return {
    name: 'native',
    whole(frame, bound) {
      const chunkSize = Math.max(bound, SMALLEST_PIECE);
      try {
        return zstdDecompressSync(frame, { chunkSize, maxOutputLength: chunkSize, params });
      } catch (error) {
        throw undecodable(error);
      }
    },
    open: () => pullFrom(createZstdDecompress({ chunkSize: PIECE, params })),
  };
}

/** Reads a decoding Transform piece by piece: it goes on only when what it made was taken, and not past the deadline. */
export function pullFrom(stream: Transform): FrameStream {
  let failure: Error | undefined;
  let wake: () => void = () => {};
  stream.on('readable', () => wake());
  stream.on('end', () => wake());
  stream.on('error', (error) => {
    failure = error;
    wake();
  });

  /** Hands on what comes until `isDone`. */
  async function* pieces(isDone: () => boolean): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      for (let piece = stream.read(); piece !== null; piece = stream.read()) yield piece as Buffer;
      if (failure !== undefined) throw undecodable(failure);
      if (isDone()) return;
      await progress();
    }
  }

  function progress(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new ClipError('CORRUPT_LAYER', `zstd decoder made no progress for ${DEADLINE / 1000} s`));
      }, DEADLINE);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  return {
    write(chunk) {
      let isConsumed = false;
      stream.write(chunk, () => {
        isConsumed = true;
        wake();
      });
      return pieces(() => isConsumed);
    },
    end() {
      stream.end();
      return pieces(() => stream.readableEnded);
    },
    close() {
      stream.destroy();
    },
  };
}
