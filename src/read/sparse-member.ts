/**
 * A sparse file as a member of a tar: PAX sparse format 1.0 (GNU tar manual, 'Storing Sparse Files'). Readers differ in where a
 * stretch of data begins that follows one which is no whole blocks: GNU tar goes on at the next block, bsdtar and Python at the next
 * byte. So stretches are written in whole blocks of the file, with the zeros around the data; only the file's end may cut one.
 */

import { BLOCK } from '../tar/header.js';
import { paddingOf } from '../tar/write-header.js';
import type { Extent } from '../tree/extents.js';

export class SparseMember {
  /** Where the stretches lie, in decimal numbers, padded to a block. It goes ahead of them. */
  readonly map: Buffer;
  /** Bytes of all stretches. */
  readonly stored: number;
  /** Begin and end of each stretch in the file, ascending, apart. */
  readonly #bounds: readonly number[];
  /** How far in the file the writer is. */
  #at = 0;
  /** The bound that comes next: even, if a stretch begins there. */
  #next = 0;

  /** `extents` ascend and lie within `size` bytes. */
  constructor(extents: Iterable<Extent>, size: number) {
    this.#bounds = boundsOf(extents, size);
    this.map = encodeMap(this.#bounds, size);
    this.stored = this.#bounds.reduce((sum, bound, i) => sum + (i % 2 === 0 ? -bound : bound), 0);
  }

  /** Goes on by `length` bytes of the file. Gives how many of them are written: all of the data, and of a hole what lies in stretches. */
  advance(length: number): number {
    const end = this.#at + length;
    let written = 0;
    while (this.#at < end) {
      const to = Math.min(this.#bounds[this.#next] ?? end, end);
      if (this.#next % 2 === 1) written += to - this.#at;
      this.#at = to;
      if (to === this.#bounds[this.#next]) this.#next++;
    }
    return written;
  }
}

function boundsOf(extents: Iterable<Extent>, size: number): number[] {
  const bounds: number[] = [];
  for (const { logical, length } of extents) {
    if (length === 0) continue;
    const begin = logical - (logical % BLOCK);
    const end = Math.min(logical + length + paddingOf(logical + length), size);
    // In one block with the stretch before, or right after it.
    if (bounds.length > 0 && begin <= bounds.at(-1)!)
      bounds[bounds.length - 1] = Math.max(end, bounds.at(-1)!);
    else bounds.push(begin, end);
  }
  return bounds;
}

/** How many stretches there are, then offset and length of each. */
function encodeMap(bounds: readonly number[], size: number): Buffer {
  const numbers: number[] = [];
  for (let i = 0; i < bounds.length; i += 2) numbers.push(bounds[i]!, bounds[i + 1]! - bounds[i]!);
  // A hole at the end is told by an empty stretch there.
  if ((bounds.at(-1) ?? 0) < size) numbers.push(size, 0);
  const text = `${[numbers.length / 2, ...numbers].join('\n')}\n`;
  return Buffer.from(text + '\0'.repeat(paddingOf(text.length)), 'latin1');
}
