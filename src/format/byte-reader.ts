import type { ByteString } from '../bytes.js';
import { corruptIndex } from './corrupt.js';

/**
 * Reads the primitive types of docs/format.md from hostile bytes. Whatever is out of place ends in CORRUPT_INDEX that names
 * `where`; nothing is ever read past the end, and no length sizes an allocation before it was compared with what is left.
 */
export class ByteReader {
  position = 0;
  readonly #bytes: Buffer;
  readonly #where: string;

  constructor(bytes: Uint8Array, where: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
  }

  get left(): number {
    return this.#bytes.length - this.position;
  }

  /** A view of what is left. */
  get rest(): Buffer {
    return this.#bytes.subarray(this.position);
  }

  fail(what: string): never {
    throw corruptIndex(this.#where, `${what} (at byte ${this.position})`);
  }

  u8(): number {
    if (this.position >= this.#bytes.length) this.fail('ends too early');
    return this.#bytes[this.position++]!;
  }

  u16(): number {
    return this.take(2).readUInt16LE(0);
  }

  u32(): number {
    return this.take(4).readUInt32LE(0);
  }

  /** Unsigned LEB128 of 0 to 2^53−1; a longer encoding than needed is corrupt, so that equal values have equal bytes. */
  varint(): number {
    const bytes = this.#bytes;
    const first = bytes[this.position];
    if (first === undefined) this.fail('ends too early');
    this.position++;
    return first < 0x80 ? first : this.#rest(first & 0x7f);
  }

  /** A varint that must not exceed `max`. */
  upTo(max: number, what: string): number {
    const value = this.varint();
    if (value > max) this.fail(`${what} ${value} exceeds ${max}`);
    return value;
  }

  /** A number of things that take at least `each` bytes of what is left. */
  count(each: number, what: string): number {
    return this.upTo(Math.floor(this.left / each), what);
  }

  /** LEB128 of 2 × |value| + (value < 0); minus zero is corrupt. */
  svarint(): number {
    const first = this.u8();
    let magnitude = (first & 0x7f) >> 1;
    if (first >= 0x80) {
      const high = this.upTo(0x7fff_ffff_ffff, 'number');
      if (high === 0) this.fail('number is not minimal');
      magnitude += high * 64;
    }
    if ((first & 1) === 0) return magnitude;
    if (magnitude === 0) this.fail('number is minus zero');
    return -magnitude;
  }

  /** A view of the next `length` bytes. */
  take(length: number): Buffer {
    this.skip(length);
    return this.#bytes.subarray(this.position - length, this.position);
  }

  skip(length: number): void {
    if (length > this.left) this.fail(`ends too early: ${length} bytes wanted, ${this.left} left`);
    this.position += length;
  }

  byteString(length: number): ByteString {
    this.skip(length);
    return this.#bytes.toString('latin1', this.position - length, this.position) as ByteString;
  }

  /** A length of at most `max`, then as many bytes. */
  prefixed(max: number, what: string): ByteString {
    return this.byteString(this.upTo(max, `length of ${what}`));
  }

  /** Nothing may be left. */
  done(): void {
    if (this.left !== 0) this.fail(`${this.left} bytes too many`);
  }

  #rest(low: number): number {
    const bytes = this.#bytes;
    let value = low;
    let scale = 128;
    // Without a call for each byte: at every start some thousand numbers are read, before V8 has optimized anything.
    for (let at = this.position; at < this.position + 7; at++) {
      const byte = bytes[at];
      if (byte === undefined) this.fail('ends too early');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0) this.fail('number is not minimal');
        if (value > Number.MAX_SAFE_INTEGER) this.fail('number exceeds 2^53-1');
        this.position = at + 1;
        return value;
      }
      scale *= 128;
    }
    return this.fail('number is longer than 8 bytes');
  }
}
