import type { MessagePort } from 'node:worker_threads';

/** What a hash thread is given: the ring that it reads, and where the digests of each stream's spans go before its end is answered. */
export interface HashThreadData {
  ring: SharedArrayBuffer;
  port: MessagePort;
}

/** Marks in the stream: its spans are wanted too (before its first byte); `hold` and `cut` as in SpanDigests. */
export const MARK = { begin: 1, hold: 2, cut: 3 } as const;
