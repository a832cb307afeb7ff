import type { Entry } from '../tree/entry.js';

type Xattrs = Entry['xattrs'];

/** Bytes of the records whose sets are kept, all layers of an index together: they unfold to some twenty times as much. */
const CAPACITY = 262_144;

/** Attribute sets that were decoded last: in an image labelled for SELinux thousands of entries share each of a few. */
export class XattrSets {
  readonly #sets = new Map<string, { set: Xattrs; bytes: number }>();
  #bytes = 0;

  get(key: string): Xattrs | undefined {
    return this.#sets.get(key)?.set;
  }

  /** `bytes`: of the record. */
  put(key: string, set: Xattrs, bytes: number): void {
    if (bytes > CAPACITY / 4) return;
    for (const [oldest, { bytes: freed }] of this.#sets) {
      if (this.#bytes + bytes <= CAPACITY) break;
      this.#sets.delete(oldest);
      this.#bytes -= freed;
    }
    this.#sets.set(key, { set, bytes });
    this.#bytes += bytes;
  }
}
