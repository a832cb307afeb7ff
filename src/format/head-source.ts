import { corruptIndex } from './corrupt.js';
import type { ByteSource } from './image-index.js';

/**
 * A source whose first bytes are read once and kept: they hold the header, the directory and, in a small index, most of the
 * merged tree. Every read may be a request to a registry.
 */
export class HeadSource implements ByteSource {
  readonly #source: ByteSource;
  #head: Uint8Array = new Uint8Array(0);
  bytesRead = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  get size(): number {
    return this.#source.size;
  }

  /** Reads the first `length` bytes, or all there are. */
  async fetchHead(length: number): Promise<void> {
    this.#head = Uint8Array.from(await this.#fetch(0, Math.min(length, this.size)));
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length <= this.#head.length) return this.#head.subarray(offset, offset + length);
    if (offset + length > this.size) throw corruptIndex('file', `it ends before byte ${offset + length}`);
    return this.#fetch(offset, length);
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async #fetch(offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#source.read(offset, length);
    this.bytesRead += bytes.length;
    if (bytes.length !== length)
      throw corruptIndex('file', `it gave ${bytes.length} bytes instead of ${length}`);
    return bytes;
  }
}
