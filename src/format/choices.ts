import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';

/**
 * A column of values that repeat: a dictionary in order of first use, and one number a row: 0 the same as the row before,
 * 1 the next dictionary value that was not used yet, n + 2 the dictionary value n. Runs and first uses, the common cases, thus
 * are two symbols that compress to almost nothing.
 */
export class ChoiceWriter<T> {
  readonly values: T[] = [];
  readonly #numbers = new Map<string | number, number>();
  readonly #rows: number[] = [];
  #last = -1;

  add(key: string | number, value: T): void {
    const known = this.#numbers.get(key);
    if (known === undefined) {
      this.#last = this.values.length;
      this.#numbers.set(key, this.#last);
      this.values.push(value);
      this.#rows.push(1);
      return;
    }
    this.#rows.push(known === this.#last ? 0 : known + 2);
    this.#last = known;
  }

  writeRows(out: ByteWriter): void {
    for (const row of this.#rows) out.varint(row);
  }
}

/** Reads the rows; each becomes the number of its dictionary value, less than `values`. Every value must be used. */
export function readChoices(reader: ByteReader, count: number, values: number): Uint16Array {
  const rows = new Uint16Array(count);
  let used = 0;
  let last = 0;
  for (let i = 0; i < count; i++) {
    const row = reader.varint();
    if (row === 1) {
      if (used === values) reader.fail('a dictionary has too few values');
      last = used++;
    } else if (row >= 2) {
      if (row - 2 >= used) reader.fail('a dictionary value is used before its first use');
      last = row - 2;
    } else if (i === 0) {
      reader.fail('the first row repeats nothing');
    }
    rows[i] = last;
  }
  if (used !== values) reader.fail('a dictionary has too many values');
  return rows;
}
