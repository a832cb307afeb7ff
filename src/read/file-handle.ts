import type { Node } from '../tree/node.js';
import { FsError, toFsError } from './fs-errors.js';
import { createReadAhead } from './read-ahead.js';
import type { ImageReader } from './reader.js';
import { ImageStats } from './stats.js';

/** The part of node:fs/promises `FileHandle` that reads. */
export interface ImageFileHandle {
  /**
   * Reads into `buffer` at `offset` (default 0) at most `length` bytes (default: what fits) from `position` (default: where the last
   * such read ended). Fewer bytes come only at the end of the file.
   */
  read<T extends NodeJS.ArrayBufferView>(
    buffer: T,
    offset?: number,
    length?: number,
    position?: number | null,
  ): Promise<{ bytesRead: number; buffer: T }>;
  /** What is left from where the last read without a position ended. */
  readFile(): Promise<Buffer>;
  stat(): Promise<ImageStats>;
  close(): Promise<void>;
}

export function createFileHandle(reader: ImageReader, node: Node, path: string): ImageFileHandle {
  const ahead = createReadAhead(node, (range, signal) => reader.readAhead(node, range, signal));
  let here = 0;
  let closed = false;

  function checkOpen(syscall: string): void {
    if (closed) throw new FsError('EBADF', { syscall, path });
  }

  /** Copies what is there to `target`; returns how many bytes. */
  async function readInto(target: Uint8Array, position: number): Promise<number> {
    let done = 0;
    try {
      for await (const chunk of reader.read(node, { offset: position, length: target.byteLength })) {
        target.set(chunk, done);
        done += chunk.byteLength;
      }
    } catch (error) {
      throw toFsError(error, 'read', path);
    }
    reader.remember(node);
    return done;
  }

  return {
    async read(buffer, offset = 0, length = buffer.byteLength - offset, position = null) {
      checkOpen('read');
      if (offset < 0 || length < 0 || offset + length > buffer.byteLength) {
        throw new RangeError(`${length} bytes at ${offset} of a buffer of ${buffer.byteLength}`);
      }
      const from = position ?? here;
      const count = Math.min(length, Math.max(node.entry.size - from, 0));
      const target = new Uint8Array(buffer.buffer, buffer.byteOffset + offset, count);
      const view = reader.peek(node, from, count);
      let bytesRead = count;
      if (view) target.set(view);
      else if (count > 0 || node.entry.type !== 'file') bytesRead = await readInto(target, from);
      if (position === null) here = from + bytesRead;
      ahead.note(from, bytesRead);
      return { bytesRead, buffer };
    },
    async readFile() {
      checkOpen('read');
      try {
        const bytes = await reader.readAll(node, { offset: here });
        here += bytes.length;
        return bytes;
      } catch (error) {
        throw toFsError(error, 'read', path);
      }
    },
    async stat() {
      checkOpen('fstat');
      return new ImageStats(node);
    },
    async close() {
      checkOpen('close');
      closed = true;
      ahead.stop();
    },
  };
}
