import type { Tier } from '../observer.js';
import type { Claims } from './claims.js';

/**
 * One cache tier. Keys are the SHA-256 (64 lower-case hex digits) of the value, so an entry proves itself; `TieredCache` checks
 * every value from a tier below memory before it is used. A tier that fails is a miss, never an error to the reader.
 */
export interface CacheTier {
  readonly name: Tier;
  /**
   * The value, or undefined. `length` is what the caller expects: something of another length may come back cut, or as no bytes, since
   * it does not hold in any case.
   */
  get(key: string, length: number): Promise<Uint8Array | undefined> | Uint8Array | undefined;
  /** Keeps the value if it can. Where `holdsValues` is set the caller does not change `value` afterwards. */
  put(key: string, value: Uint8Array): Promise<void> | void;
  /** Set where `value` itself is kept, or still used when `put` has returned. */
  readonly holdsValues?: true;
  /** Drops an entry that did not hold. */
  drop(key: string): Promise<void> | void;
  /** Whether the entry is probably there; cheaper than `get`, and no use of it. Absent where the tier cannot tell cheaply. */
  contains?(key: string, length: number): boolean;
  /** Whether this many bytes, put one after the other, would all still be there afterwards. */
  canHold(bytes: number): boolean;
  /** False where it has shown that it keeps nothing: it is full, forbidden, or does not answer. Absent: it always takes. */
  takes?(): boolean;
  /** Where processes that share the tier agree on who fetches what; absent where the tier is not shared or cannot. */
  readonly claims?: Claims;
  /** Waits until the tier takes writes without dropping them; undefined when it does now. For work that nobody waits for. */
  ready?(): Promise<void> | undefined;
  /** Finishes writes under way. */
  close(): Promise<void>;
}

export function isKey(key: string): boolean {
  return /^[0-9a-f]{64}$/.test(key);
}
