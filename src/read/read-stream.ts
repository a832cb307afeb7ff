import { Readable } from 'node:stream';

export interface ReadStreamOptions {
  /** First byte; default 0. */
  start?: number;
  /** Last byte, included, as in node:fs; default the file's. */
  end?: number;
  /** Bytes of a chunk at most, and what is read ahead of the consumer; default 64 KiB. */
  highWaterMark?: number;
  encoding?: BufferEncoding;
  signal?: AbortSignal;
}

/**
 * A Readable over chunks that are somebody else's: each is copied, since a consumer may change what it gets. `open` gets a signal
 * that aborts when the stream is destroyed.
 */
export function createChunkStream(
  open: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  options: ReadStreamOptions,
): Readable {
  const { highWaterMark = 64 * 1024, encoding, signal } = options;
  const controller = new AbortController();
  let chunks: AsyncIterator<Uint8Array> | undefined;
  let left: Uint8Array = new Uint8Array();
  let asked = false;
  let filling = false;

  async function fill(stream: Readable): Promise<void> {
    // Node asks before the consumer takes what is buffered: what was pushed at once would come on top of that.
    await undefined;
    for (;;) {
      while (left.byteLength > 0) {
        // Who reads a paused stream gets all that is buffered as one chunk.
        const room = Math.max(stream.readableHighWaterMark, 1) - stream.readableLength;
        if (room <= 0) return;
        const part = left.subarray(0, room);
        left = left.subarray(part.byteLength);
        if (!stream.push(Buffer.from(part))) return;
      }
      chunks ??= open(controller.signal)[Symbol.asyncIterator]();
      const { value, done } = await chunks.next();
      if (stream.destroyed) return;
      if (done) {
        stream.push(null);
        return;
      }
      left = value;
    }
  }

  async function serve(stream: Readable): Promise<void> {
    while (asked) {
      asked = false;
      await fill(stream);
    }
    filling = false;
  }

  return new Readable({
    highWaterMark,
    ...(encoding !== undefined && { encoding }),
    ...(signal !== undefined && { signal }),
    read() {
      asked = true;
      // A push makes Node ask again while this one is still at it.
      if (filling) return;
      filling = true;
      serve(this).catch((error: unknown) => this.destroy(error as Error));
    },
    destroy(error, done) {
      controller.abort();
      chunks?.return?.().catch(() => {});
      done(error);
    },
  });
}
