/**
 * Decoded blocks, the least recently used dropped first. A block holds at most 64 KiB decoded and the limits of docs/format.md
 * keep what it unfolds to under a megabyte, so counting blocks bounds the memory. Concurrent users of a block share one load.
 */
export class BlockCache {
  readonly #capacity: number;
  readonly #blocks = new Map<number, unknown>();
  readonly #loading = new Map<number, Promise<unknown>>();

  /** `capacity`: number of blocks kept. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The block if it is here. */
  peek<T>(key: number): T | undefined {
    const block = this.#blocks.get(key);
    if (block === undefined) return undefined;
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    return block as T;
  }

  /** A failure is not kept: the next call loads again. */
  get<T>(key: number, load: () => Promise<T>): T | Promise<T> {
    const here = this.peek<T>(key);
    if (here !== undefined) return here;
    const underway = this.#loading.get(key) as Promise<T> | undefined;
    if (underway) return underway;
    const loading = load()
      .then((block) => {
        this.#blocks.set(key, block);
        if (this.#blocks.size > this.#capacity) this.#blocks.delete(this.#blocks.keys().next().value!);
        return block;
      })
      .finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }
}
