/**
 * Data on stdout, written to the file descriptor: the stream classes (3 ms at start-up) are never loaded. A pipe or a terminal may
 * keep a writer waiting: it is written to on a thread of the pool, and reading and inflating go on meanwhile. A file takes bytes at
 * once, in less time than waking a thread takes. A pipe that its reader has made non-blocking answers EAGAIN; the rest then goes
 * through `process.stdout`, which can wait.
 */

import fs from 'node:fs';
import { errnoOf, isDiskFull } from '../../errno.js';
import { ClipError } from '../../errors.js';
import { takesAtOnce } from './terminal.js';

/** The reader of stdout has gone: the command ends quietly, as a success. */
export class ClosedPipe extends Error {
  override readonly name = 'ClosedPipe';
}

export interface Stdout {
  /** Resolves when the bytes are written; the caller may then change them. Throws ClosedPipe, or ClipError IO or NO_SPACE. */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Collects text, or a copy of bytes, and writes it in large pieces, one of them while the next is collected; returns a promise only
   * when it has to wait for the piece before.
   */
  print(part: string | Uint8Array): Promise<void> | undefined;
  /** Writes what `print` has collected. */
  flush(): Promise<void>;
}

const PRINT_AT = 1 << 16;
/** Room for what is collected, and for the part that fills it. */
const ROOM = 2 * PRINT_AT;

export function createStdout(fd = 1): Stdout {
  const writeSome = takesAtOnce(fd) ? fs.writeSync : writeOnThread;
  let pending: Uint8Array = new Uint8Array(0);
  /** Bytes of it that are taken. */
  let filled = 0;
  /** The memory of a piece that has been written. */
  let spare: Uint8Array | undefined;
  let stream: NodeJS.WritableStream | undefined;
  // One write at a time keeps the order whatever the callers await.
  let last: Promise<void> = Promise.resolve();
  /** The piece of printed text that is being written; whoever prints or flushes next is told of its failure. */
  let piece: Promise<void> | undefined;

  function write(bytes: Uint8Array): Promise<void> {
    const next = last.then(() => writeNow(bytes));
    last = next.catch(() => {});
    return next;
  }

  async function writeNow(bytes: Uint8Array): Promise<void> {
    let done = 0;
    try {
      while (done < bytes.length && !stream) {
        done += await writeSome(fd, bytes, done, bytes.length - done);
      }
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw outputError(error);
      stream = process.stdout;
    }
    if (stream && done < bytes.length) await writeToStream(stream, bytes.subarray(done));
  }

  async function flush(): Promise<void> {
    // Queued before anything is awaited.
    const rest = filled === 0 ? last : writePending();
    rest.catch(() => {});
    const before = piece;
    piece = undefined;
    await before;
    await rest;
  }

  async function writePending(): Promise<void> {
    const memory = pending;
    const bytes = memory.subarray(0, filled);
    pending = spare ?? new Uint8Array(0);
    filled = 0;
    spare = undefined;
    await write(bytes);
    spare = memory;
  }

  function collect(part: Uint8Array): void {
    if (part.length > pending.length - filled) {
      const larger = Buffer.allocUnsafe(Math.max(ROOM, filled + part.length));
      larger.set(pending.subarray(0, filled));
      pending = larger;
    }
    pending.set(part, filled);
    filled += part.length;
  }

  return {
    async write(bytes) {
      // Both are queued before anything is awaited.
      await Promise.all([flush(), write(bytes)]);
    },
    print(part) {
      collect(typeof part === 'string' ? Buffer.from(part) : part);
      if (filled < PRINT_AT) return undefined;
      const before = piece;
      piece = writePending();
      piece.catch(() => {});
      return before;
    },
    flush,
  };
}

function writeOnThread(fd: number, bytes: Uint8Array, from: number, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, from, length, null, (error, written) => (error ? reject(error) : resolve(written)));
  });
}

function writeToStream(stream: NodeJS.WritableStream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // The callback is told of a failure, and then the stream; nobody listening there would be a crash.
    const ignore = () => {};
    stream.on('error', ignore);
    stream.write(bytes, (error) => {
      if (error) return reject(outputError(error));
      stream.removeListener('error', ignore);
      resolve();
    });
  });
}

function outputError(error: unknown): Error {
  const code = errnoOf(error);
  if (code === 'EPIPE') return new ClosedPipe();
  if (isDiskFull(error)) {
    return new ClipError('NO_SPACE', 'no space left to write the output', {
      hint: 'free some space where stdout goes, or write elsewhere',
      cause: error,
    });
  }
  if (code === 'EFBIG') {
    return new ClipError(
      'IO',
      'the output is too large for the file system or for the limit of this session',
      {
        hint: 'see `ulimit -f`, or write to another file system',
        cause: error,
      },
    );
  }
  return new ClipError('IO', `cannot write the output: ${code ?? 'unknown error'}`, {
    hint: 'check where stdout goes',
    cause: error,
  });
}
