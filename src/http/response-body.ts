import type { Dispatcher } from 'undici';

/** Bytes that may wait for the reader before the connection is asked to pause. */
const HIGH_WATER = 512 << 10;
/** What is worth reading to its end so that the connection can be used again. */
const DRAIN_LIMIT = 64 << 10;

/**
 * A response's body: read it once with `for await`, or `discard` it. Leaving the loop early closes the connection. Memory is
 * bounded: what has arrived and was not read stays under 512 KiB and one chunk.
 */
export class ResponseBody implements AsyncIterable<Uint8Array> {
  readonly #controller: Dispatcher.DispatchController;
  readonly #chunks: Uint8Array[] = [];
  #queued = 0;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(controller: Dispatcher.DispatchController) {
    this.#controller = controller;
  }

  /** For the transport: the next bytes, the end, a failure. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#queued += chunk.length;
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
          this.#queued -= chunk.length;
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
    try {
      let read = 0;
      for await (const chunk of this) {
        read += chunk.length;
        if (read > DRAIN_LIMIT) return;
      }
    } catch {
      // Nobody wants these bytes.
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
