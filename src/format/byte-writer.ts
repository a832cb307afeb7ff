import type { ByteString } from '../bytes.js';
import { misuse } from './corrupt.js';

/** A growing buffer with the primitive types of docs/format.md. */
export class ByteWriter {
  #buffer: Buffer;
  length = 0;

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  /** Forgets everything written, keeps the memory. */
  clear(): void {
    this.length = 0;
  }

  /** What was written so far; valid until the next write. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  /** A copy of what was written so far. */
  copy(): Buffer {
    return Buffer.from(this.view());
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.length++] = value;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.length = this.#buffer.writeUInt16LE(value, this.length);
  }

  u32(value: number): void {
    this.#reserve(4);
    this.length = this.#buffer.writeUInt32LE(value, this.length);
  }

  /** Unsigned LEB128 of 0 to 2^53−1. */
  varint(value: number): void {
    if (!(Number.isSafeInteger(value) && value >= 0)) throw misuse(`${value} is no size`);
    this.#reserve(8);
    while (value > 0x7fff_ffff) {
      this.#buffer[this.length++] = (value % 128) | 0x80;
      value = Math.floor(value / 128);
    }
    while (value > 0x7f) {
      this.#buffer[this.length++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    this.#buffer[this.length++] = value;
  }

  /**
   * LEB128 of 2 × |value| + (value < 0), for −(2^53−1) to 2^53−1. Sign and magnitude, because the usual zigzag would need 2^54,
   * which a double does not hold exactly.
   */
  svarint(value: number): void {
    if (!Number.isSafeInteger(value)) throw misuse(`${value} is no safe integer`);
    const sign = value < 0 ? 1 : 0;
    const magnitude = Math.abs(value);
    if (magnitude < 64) {
      this.u8(magnitude * 2 + sign);
      return;
    }
    this.u8(0x80 | ((magnitude % 64) * 2 + sign));
    this.varint(Math.floor(magnitude / 64));
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** The bytes alone, no length. */
  byteString(text: ByteString): void {
    this.#reserve(text.length);
    this.length += this.#buffer.write(text, this.length, 'latin1');
  }

  /** A length, then the bytes. */
  prefixed(text: ByteString): void {
    this.varint(text.length);
    this.byteString(text);
  }

  #reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
  }
}
