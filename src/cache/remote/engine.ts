/** Lookups under way at once: more would wait for each other while their deadlines run. An engine makes none of them wait. */
export const READS_AT_ONCE = 16;

/**
 * What a kind of remote cache has to be able to do. Failures are thrown; deadlines, retries, counting and everything else that
 * keeps a read safe from them is remote-tier.ts's business.
 */
export interface RemoteEngine {
  /** Values larger than this are not offered to it, bytes. */
  readonly maxValue: number;
  /**
   * The value, or undefined when there is none. What is longer than `length` may be cut, but not to `length`: the caller sees by it
   * that the value does not hold.
   */
  get(key: string, length: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  put(key: string, value: Uint8Array, signal: AbortSignal): Promise<void>;
  drop(key: string, signal: AbortSignal): Promise<void>;
  /** After a deadline has passed: connections that may hang are given up. */
  reset?(): void;
  /** Closes all connections at once. */
  close(): Promise<void>;
}
