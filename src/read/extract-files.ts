/**
 * The regular files of an extraction. Small writes block, as all calls in extract-place.ts do; large ones go out on threads of the
 * pool, since the copy into the page cache is what they cost and another core can do it, several files at a time.
 */

import fs, { constants } from 'node:fs';
import { ClipError } from '../errors.js';
import type { Node } from '../tree/node.js';
import { fsError } from './extract-errors.js';
import type { Metadata } from './extract-metadata.js';
import type { Placer, Placing } from './extract-place.js';
import type { FilePart } from './stream-files.js';

export interface FileWriter {
  /**
   * Takes the parts of files in order: a node's first part begins its file, the last one ends it. Returns a promise when so much
   * is being written that the next part should wait. Throws ClipError IO, NO_SPACE, UNSAFE_PATH or CORRUPT_LAYER, of this part or an
   * earlier one.
   */
  add(part: FilePart): Promise<void> | undefined;
  /** Resolves when all files are in their places. Throws as `add` does. */
  end(): Promise<void>;
  /** Waits for what is being written, and leaves no half-written file. Never throws. */
  abandon(): Promise<void>;
}

export interface FileWriterOptions {
  placer: Placer;
  metadata: Metadata;
  /** Told of each file that is in its place. */
  onFile(node: Node): void;
}

/** Writes from this size on leave the main thread: one that is smaller takes less time than waking another thread. */
const LARGE = 128 << 10;
/** Bytes that are being written at most before the next part has to wait. */
const AHEAD = 8 << 20;

/** A file under its temporary name. */
interface OpenFile {
  node: Node;
  file: number;
  placing: Placing;
  /** Of the next part. */
  position: number;
  /** Writes under way on other threads. */
  pending: number;
  /** All parts have come. */
  ended: boolean;
}

export function createFileWriter({ placer, metadata, onFile }: FileWriterOptions): FileWriter {
  /** Not in their places yet; the last one may still get parts. */
  const open = new Set<OpenFile>();
  let current: OpenFile | undefined;
  let underway = 0;
  let failure: { error: unknown } | undefined;
  let waiting: { atMost: number; resolve: () => void }[] = [];

  function begin(node: Node): OpenFile {
    const placing = placer.begin(node.path);
    const file = fs.openSync(placing.temporary, NEW_FILE, 0o600);
    const opened = { node, file, placing, position: 0, pending: 0, ended: false };
    open.add(opened);
    return opened;
  }

  function finish(opened: OpenFile): void {
    const { node, file, placing, position } = opened;
    const { size, extents } = node.entry;
    if (position !== size) {
      throw new ClipError('CORRUPT_LAYER', `a file of the image ended after ${position} of ${size} bytes`);
    }
    if (extents) fs.ftruncateSync(file, size);
    metadata.apply(file, node.entry);
    open.delete(opened);
    try {
      fs.closeSync(file);
      placing.land();
    } catch (error) {
      placing.abandon();
      throw error;
    }
    onFile(node);
  }

  function writeHere({ file, position }: OpenFile, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      done += fs.writeSync(file, bytes, done, bytes.length - done, position + done);
    }
  }

  function writeAside(opened: OpenFile, { bytes, hold }: FilePart): void {
    const release = hold();
    const { length } = bytes;
    opened.pending++;
    underway += length;
    writeOnThread(opened.file, bytes, opened.position, (error) => {
      release();
      opened.pending--;
      underway -= length;
      attempt(opened.node, () => {
        if (error) throw error;
        if (opened.ended && opened.pending === 0 && !failure) finish(opened);
      });
      wake();
    });
  }

  /** Remembers the first failure, named by the place of the file. */
  function attempt(node: Node, step: () => void): void {
    try {
      step();
    } catch (error) {
      failure ??= { error: fsError(error, placer.locate(node.path)) };
    }
  }

  function wake(): void {
    // Whoever waits for room learns at once of a failure; whoever waits for the end, when nothing is being written any more.
    const ready = waiting.filter(({ atMost }) => underway <= atMost || (failure && atMost > 0));
    waiting = waiting.filter((one) => !ready.includes(one));
    for (const { resolve } of ready) resolve();
  }

  function until(atMost: number): Promise<void> {
    return new Promise((resolve) => waiting.push({ atMost, resolve }));
  }

  function throwFailure(): void {
    if (failure) throw failure.error;
  }

  return {
    add(part) {
      const { node, bytes, zeros, last } = part;
      attempt(node, () => {
        current ??= begin(node);
        if (bytes.byteLength >= LARGE) writeAside(current, part);
        else if (bytes.byteLength > 0) writeHere(current, bytes);
        current.position += bytes.byteLength + zeros;
        if (!last) return;
        current.ended = true;
        const whole = current;
        current = undefined;
        if (whole.pending === 0) finish(whole);
      });
      throwFailure();
      return underway > AHEAD ? until(AHEAD).then(throwFailure) : undefined;
    },
    async end() {
      if (underway > 0) await until(0);
      throwFailure();
    },
    async abandon() {
      failure ??= { error: undefined };
      // Nobody else is to get the number of a file that is still being written to.
      if (underway > 0) await until(0);
      for (const { file, placing } of open) {
        try {
          fs.closeSync(file);
        } catch {
          // What it could not write is not wanted any more.
        }
        placing.abandon();
      }
      open.clear();
    },
  };
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** All of `bytes`, on a thread of the pool. */
function writeOnThread(
  file: number,
  bytes: Uint8Array,
  position: number,
  done: (error: Error | null) => void,
): void {
  fs.write(file, bytes, 0, bytes.length, position, (error, written) => {
    if (error || written === bytes.length) done(error);
    else writeOnThread(file, bytes.subarray(written), position + written, done);
  });
}
