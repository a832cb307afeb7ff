import type { Dispatcher } from 'undici';
import { ClipError } from '../errors.js';

/** Bytes that may wait for the reader before the connection is asked to pause. */
const HIGH_WATER = 512 << 10;
/** What a chunk costs besides its bytes: a server may send one of them at a time. */
const CHUNK_OVERHEAD = 256;
/** What is worth reading to its end so that the connection can be used again: so many bytes, in so many milliseconds. */
const DRAIN_LIMIT = 64 << 10;
const DRAIN_TIME = 1000;

/**
 * A response's body: read it once with `for await`, or `discard` it. Leaving the loop early closes the connection. Memory is
 * bounded: what has arrived and was not read stays under 512 KiB and one chunk, whatever the size of chunks.
 */
export class ResponseBody implements AsyncIterable<Uint8Array> {
  readonly #controller: Dispatcher.DispatchController;
  readonly #idleTimeout: number;
  readonly #chunks: Uint8Array[] = [];
  #queued = 0;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** `idleTimeout`: the longest silence that the connection bears, milliseconds. */
  constructor(controller: Dispatcher.DispatchController, idleTimeout: number) {
    this.#controller = controller;
    this.#idleTimeout = idleTimeout;
  }

  /** For the transport: the next bytes, the end, a failure. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#queued += chunk.length + CHUNK_OVERHEAD;
    if (this.#queued >= HIGH_WATER) this.#controller.pause();
    this.#notify();
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  fail(error: Error): void {
    this.#error = error;
    this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#queued -= chunk.length + CHUNK_OVERHEAD;
          if (this.#controller.paused && this.#queued < HIGH_WATER) this.#controller.resume();
          yield chunk;
        } else if (this.#error !== undefined) {
          throw this.#error;
        } else if (this.#ended) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.abort();
    }
  }

  /** Closes the connection unless the body is already complete. */
  abort(): void {
    this.#chunks.length = 0;
    this.#queued = 0;
    if (this.#ended || this.#error !== undefined) return;
    this.#error = new Error('the body was closed');
    this.#controller.abort(this.#error);
    this.#notify();
  }

  /** Reads what is left of a small body, so that the connection stays; closes the connection on a large one. */
  async discard(): Promise<void> {
    await this.start(DRAIN_LIMIT, DRAIN_TIME);
  }

  /** What comes up to `limit` bytes and within so many milliseconds. Closes the connection where that is not all. Never throws. */
  async start(limit: number, milliseconds: number): Promise<Buffer> {
    const bytes = new Collector();
    const timer = setTimeout(() => this.abort(), milliseconds);
    try {
      for await (const chunk of this) {
        bytes.add(chunk);
        if (bytes.length > limit) break;
      }
    } catch {
      // What came is enough.
    } finally {
      clearTimeout(timer);
    }
    return bytes.all().subarray(0, limit);
  }

  /**
   * All of a body of at most `limit` bytes; undefined where it is longer. Throws what the connection throws, and TIMEOUT where it is not
   * there within ten times the longest silence: a byte now and then is no transfer.
   */
  async all(limit: number): Promise<Buffer | undefined> {
    const bytes = new Collector();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.abort();
    }, this.#idleTimeout * 10);
    try {
      for await (const chunk of this) {
        bytes.add(chunk);
        if (bytes.length > limit) return undefined;
      }
    } catch (error) {
      if (!late) throw error;
      throw new ClipError('TIMEOUT', 'the answer comes too slowly', {
        hint: 'try again, or raise the idle timeout',
      });
    } finally {
      clearTimeout(timer);
    }
    return bytes.all();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** Puts chunks of any size together in memory that grows with their bytes alone. */
class Collector {
  length = 0;
  #bytes = Buffer.alloc(0);

  add(chunk: Uint8Array): void {
    const length = this.length + chunk.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#bytes.length * 2));
      larger.set(this.all());
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.length);
    this.length = length;
  }

  all(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }
}
