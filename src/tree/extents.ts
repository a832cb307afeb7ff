/** A run of a file's bytes in the layer's tar stream. What lies between extents of a sparse file is zeros. */
export interface Extent {
  /** Offset in the file, bytes. */
  logical: number;
  /** Offset in the uncompressed tar stream, bytes. */
  offset: number;
  length: number;
}

/** Extents in ascending logical order: an array of them, or `Extents`. */
export interface ExtentList extends Iterable<Extent> {
  readonly length: number;
  /** As Array's. */
  at(i: number): Extent | undefined;
}

/**
 * The extents of one sparse file, ascending within the file. Packed, since a file may have 131,072 of them: 24 bytes each, where an
 * object takes three times as much and a garbage collector's time.
 */
export class Extents implements ExtentList {
  /** Logical offset, offset in the tar, length of each in turn. */
  readonly numbers: Float64Array;

  constructor(numbers: Float64Array) {
    this.numbers = numbers;
  }

  /** How many there are. */
  get length(): number {
    return this.numbers.length / 3;
  }

  /** Bytes of all of them: what the file takes in the layer. */
  get stored(): number {
    let sum = 0;
    for (let i = 2; i < this.numbers.length; i += 3) sum += this.numbers[i]!;
    return sum;
  }

  /** Extent number `i`, from the end where it is negative, as Array's. */
  at(i: number): Extent | undefined {
    const from = 3 * (i < 0 ? this.length + i : i);
    if (!(from >= 0 && from < this.numbers.length)) return undefined;
    const [logical, offset, length] = this.numbers.subarray(from, from + 3) as unknown as [
      number,
      number,
      number,
    ];
    return { logical, offset, length };
  }

  *[Symbol.iterator](): Generator<Extent, void, undefined> {
    const { numbers } = this;
    for (let i = 0; i < numbers.length; i += 3) {
      yield { logical: numbers[i]!, offset: numbers[i + 1]!, length: numbers[i + 2]! };
    }
  }
}
