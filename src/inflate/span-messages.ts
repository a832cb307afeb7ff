import type { Span, SpanContext } from '../format/model.js';
import type { SentError } from '../sent-error.js';
import type { WasmModule } from '../wasm.js';

export interface SpanThreadData {
  /** The decoder's module. */
  core: WasmModule;
}

/** One gzip span to inflate. Its buffers are transferred. */
export interface SpanJob {
  id: number;
  span: Span;
  context: SpanContext;
  /** The blob's [span.byte, span.end), alone in its buffer. */
  compressed: Uint8Array<ArrayBuffer>;
  /**
   * `span.length` bytes to put the result into. It comes from the main thread and goes back: memory that one thread takes and another
   * frees stays longer with the process.
   */
  target: Uint8Array<ArrayBuffer>;
}

export interface InflatedSpan {
  value: Uint8Array<ArrayBuffer>;
  /** SHA-256 of `value`, 64 lower-case hex digits. */
  digest: string;
  /** Decoder time; the digest's is not in it. */
  seconds: number;
}

/**
 * From a span thread: it can take work; an answer to a job. The compressed bytes go back with it: a thread has so little on its heap
 * that it collects garbage seldom, and they would pile up there, some 60 MB in each.
 */
export type FromSpanThread =
  | { type: 'ready' }
  | ({ type: 'done'; id: number; compressed: Uint8Array<ArrayBuffer> } & InflatedSpan)
  | { type: 'failed'; id: number; error: SentError };
