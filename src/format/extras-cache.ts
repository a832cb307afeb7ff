import { type Entry, extraBytes } from '../tree/entry.js';

export type Extras = Pick<Entry, 'xattrs' | 'extents'>;

/**
 * Bytes that the decoded extras of all layers of an index may take together, but for those that were decoded last: more than one layer
 * may have, since names that lead to all of its sets in turn would have each decoded for each name.
 */
const CAPACITY = 100_663_296;

/**
 * Decoded attributes and extents that were used last: in an image labelled for SELinux thousands of entries share each of a few sets, and
 * each name of an inode leads to the same ones.
 */
export class ExtrasCache {
  readonly #held = new Map<string, { extras: Extras; bytes: number }>();
  #bytes = 0;

  get(key: string): Extras | undefined {
    const found = this.#held.get(key);
    if (!found) return undefined;
    this.#held.delete(key);
    this.#held.set(key, found);
    return found.extras;
  }

  put(key: string, extras: Extras): void {
    // Two that decoded them at the same time.
    if (this.#held.has(key)) return;
    const bytes = extraBytes(extras);
    for (const [oldest, { bytes: freed }] of this.#held) {
      if (this.#bytes + bytes <= CAPACITY) break;
      this.#held.delete(oldest);
      this.#bytes -= freed;
    }
    this.#held.set(key, { extras, bytes });
    this.#bytes += bytes;
  }
}
