import { ClipError, isClipError } from '../../errors.js';
import { createLayerDecoder } from '../../inflate/decode.js';
import { detectEncoding, FOREIGN_LENGTH, foreignCompression } from '../../inflate/detect.js';
import { noArchive } from './archive-errors.js';

/** gzip is decoded in pieces of this size, so that a bomb unfolds to some 16 MiB at a time at most. */
const PIECE = 16 << 10;

/**
 * The plain bytes of a stream that may be gzip or zstd; a chunk is valid until the next one is asked for. Throws UNSUPPORTED for other
 * compressions, CORRUPT_TAR, or as the decoder does.
 */
export async function* uncompressed(
  chunks: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const head = await readHead(iterator);
    const whole = joined(head, iterator);
    switch (compressionOf(head, what)) {
      case 'gzip':
        yield* gunzip(whole);
        break;
      case 'zstd':
        yield* unzstd(whole);
        break;
      default:
        yield* whole;
    }
  } catch (error) {
    // To the decoder all that is compressed is a layer.
    throw isClipError(error, 'CORRUPT_LAYER') ? noArchive(what, error) : error;
  } finally {
    await iterator.return?.();
  }
}

async function readHead(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < FOREIGN_LENGTH) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

async function* joined(
  head: Uint8Array,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield head;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}

async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decoded: Uint8Array[] = [];
  // The decoder's view is valid only while it is called.
  const decoder = createLayerDecoder('gzip', { data: (bytes) => void decoded.push(Uint8Array.from(bytes)) });
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += PIECE) {
        await decoder.push(chunk.subarray(at, at + PIECE));
        yield* decoded.splice(0);
      }
    }
    await decoder.end();
    yield* decoded.splice(0);
  } finally {
    decoder.close();
  }
}

/** Four bytes of zstd stand for 128 KiB, too many for pieces of the input to bound it: what comes out is taken as it is made. */
async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { createFrames } = await import('../../inflate/zstd/frames.js');
  const frames = createFrames();
  try {
    for await (const chunk of chunks) {
      for await (const event of frames.push(chunk)) if (event.type === 'data') yield event.bytes;
    }
    frames.end();
  } finally {
    frames.close();
  }
}

/**
 * How a file is compressed, by its first bytes (`FOREIGN_LENGTH` are enough); undefined for a plain one. Throws UNSUPPORTED for what
 * `docker load` takes too and clip does not decode.
 */
export function compressionOf(head: Uint8Array, what: string): 'gzip' | 'zstd' | undefined {
  const foreign = foreignCompression(head);
  if (foreign) {
    throw new ClipError('UNSUPPORTED', `${what} is compressed with ${foreign.name}`, {
      hint: `decompress it first: ${foreign.program} FILE; gzip and zstd are read as they are`,
    });
  }
  const encoding = detectEncoding(head, true);
  return encoding === 'gzip' || encoding === 'zstd' ? encoding : undefined;
}
