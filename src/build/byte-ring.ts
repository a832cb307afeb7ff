/**
 * A stream of bytes from one thread to another through shared memory, with marks in it: a ring of slots, both ends blocking. No message
 * is posted for them.
 *
 * Bytes lie in their slot as they lay in their buffer (`placeInWord`).
 *
 * Waits are loops: V8 ends some of them early under load, whatever the specification says.
 *
 * Layout: Int32 [filled, emptied, answered], what is in each slot (bytes: their number; 0: the end; below it: a mark, its number in the
 * first 8 bytes), where in the slot it begins, 64 bytes for the answer, then the slots.
 */

import { placeInWord } from '../buffers.js';
import { ClipError } from '../errors.js';

/** So much that a reader which the scheduler lets wait for some milliseconds does not stop the writer. */
const SLOTS = 16;
/** Slots that are filled before a reader that waits is woken, and emptied before a writer is: waking costs more than a slot is worth. */
const LOT = 4;
const SLOT_BYTES = 256 << 10;
/** A slot has room for the part of a word before its bytes. */
const STRIDE = SLOT_BYTES + 64;
const FILLED = 0;
const EMPTIED = 1;
const ANSWERED = 2;
const LENGTHS = 3;
const STARTS = LENGTHS + SLOTS;
const WORDS = STARTS + SLOTS;
const ANSWER_AT = 4 * WORDS;
const ANSWER_BYTES = 64;
const DATA_AT = (ANSWER_AT + ANSWER_BYTES + 63) & ~63;

export function createRing(): SharedArrayBuffer {
  return new SharedArrayBuffer(DATA_AT + SLOTS * STRIDE);
}

export interface RingWriter {
  /** Blocks this thread while the ring is full. */
  write(bytes: Uint8Array): void;
  /** A mark at this place in the stream: a kind, 1 to 100, and a number. */
  mark(kind: number, number: number): void;
  /** Ends one stream and blocks until the reader has answered it; another may follow. */
  finish(): Uint8Array;
}

/** Milliseconds without a sign of the reader, twice in a row, after which it is given up: a process may have been stopped once. */
const PATIENCE = 30_000;

/** The calls throw ClipError FAILED when the reader is gone: its thread could not start, or ended. */
export function ringWriter(ring: SharedArrayBuffer, patience = PATIENCE): RingWriter {
  const words = new Int32Array(ring, 0, WORDS);
  const bytes = new Uint8Array(ring);
  let filled = Atomics.load(words, FILLED);

  function awaitReader(word: number, value: number): void {
    if (Atomics.wait(words, word, value, patience) !== 'timed-out') return;
    if (Atomics.wait(words, word, value, patience) !== 'timed-out') return;
    throw new ClipError('FAILED', 'a thread that hashes does not go on', {
      hint: 'is there enough memory, and may this user start more threads?',
    });
  }

  function put(chunk: Uint8Array, what = chunk.length): void {
    for (;;) {
      const emptied = Atomics.load(words, EMPTIED);
      if (((filled - emptied) | 0) < SLOTS) break;
      awaitReader(EMPTIED, emptied);
    }
    const slot = (filled >>> 0) % SLOTS;
    const start = what > 0 ? placeInWord(chunk) : 0;
    bytes.set(chunk, DATA_AT + slot * STRIDE + start);
    words[LENGTHS + slot] = what;
    words[STARTS + slot] = start;
    filled = (filled + 1) | 0;
    Atomics.store(words, FILLED, filled);
    if (what === 0 || ((filled - Atomics.load(words, EMPTIED)) | 0) >= LOT) Atomics.notify(words, FILLED);
  }

  return {
    write(chunk) {
      for (let at = 0; at < chunk.length; at += SLOT_BYTES) put(chunk.subarray(at, at + SLOT_BYTES));
    },
    mark: (kind, number) => put(new Uint8Array(Float64Array.of(number).buffer), -kind),
    finish() {
      const answered = Atomics.load(words, ANSWERED);
      put(new Uint8Array(0));
      while (Atomics.load(words, ANSWERED) === answered) awaitReader(ANSWERED, answered);
      return bytes.slice(ANSWER_AT, ANSWER_AT + ANSWER_BYTES);
    },
  };
}

/** Reads one stream to its end, blocking this thread, and answers it with what `end` gives (at most 64 bytes). */
export function readRing(
  ring: SharedArrayBuffer,
  reader: {
    data(bytes: Uint8Array): void;
    mark?(kind: number, number: number): void;
    end(): Uint8Array;
  },
): void {
  const words = new Int32Array(ring, 0, WORDS);
  const bytes = new Uint8Array(ring);
  for (;;) {
    const emptied = Atomics.load(words, EMPTIED);
    while (Atomics.load(words, FILLED) === emptied) Atomics.wait(words, FILLED, emptied);
    const slot = (emptied >>> 0) % SLOTS;
    const what = words[LENGTHS + slot]!;
    const at = DATA_AT + slot * STRIDE + words[STARTS + slot]!;
    if (what > 0) reader.data(bytes.subarray(at, at + what));
    else if (what < 0) reader.mark?.(-what, new Float64Array(ring, at, 1)[0]!);
    else bytes.set(reader.end(), ANSWER_AT);
    Atomics.store(words, EMPTIED, (emptied + 1) | 0);
    if (((Atomics.load(words, FILLED) - emptied - 1) | 0) <= SLOTS - LOT) Atomics.notify(words, EMPTIED);
    if (what !== 0) continue;
    Atomics.add(words, ANSWERED, 1);
    Atomics.notify(words, ANSWERED);
    return;
  }
}
