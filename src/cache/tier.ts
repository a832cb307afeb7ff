import type { Tier } from '../observer.js';

/**
 * One cache tier. Keys are the SHA-256 (64 hex digits) of the value, so an entry proves itself; `TieredCache` checks every value
 * from a tier below memory before it is used. A tier that fails is a miss, never an error to the reader.
 */
export interface CacheTier {
  readonly name: Tier;
  /** The value, or undefined. `length` is what the caller expects; another length is treated as absent. */
  get(key: string, length: number): Promise<Uint8Array | undefined> | Uint8Array | undefined;
  /** Keeps the value if it can. The caller will not change `value` afterwards. */
  put(key: string, value: Uint8Array): Promise<void> | void;
  /** Drops an entry that did not hold. */
  drop(key: string): Promise<void> | void;
  close(): Promise<void>;
}
