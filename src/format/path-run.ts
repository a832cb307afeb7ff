import type { ByteString } from '../bytes.js';
import { comparePaths } from '../tree/entry.js';
import type { PathRun } from './image-index.js';
import type { Paths } from './paths.js';

/** `count` paths of a block, from a row on. */
export class BlockRun implements PathRun {
  readonly #paths: Paths;
  readonly #from: number;
  readonly count: number;

  constructor(paths: Paths, from: number, count: number) {
    this.#paths = paths;
    this.#from = from;
    this.count = count;
  }

  get plain(): boolean {
    return this.#paths.plain;
  }

  at(i: number): ByteString {
    return this.#paths.at(this.#from + i);
  }

  lines(): Uint8Array {
    return this.#paths.lines(this.#from, this.#from + this.count);
  }

  first(count: number): BlockRun {
    return new BlockRun(this.#paths, this.#from, count);
  }

  /** How many are not after `path`. */
  countUpTo(path: string): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePaths(this.at(middle), path) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
