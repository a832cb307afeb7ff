/**
 * Ranges of blobs for a walk over a whole tree. A window of it wants some megabytes, most often those that follow the window before:
 * then one request brings what many windows will ask for, each of which takes its part as it comes. A request costs a registry more
 * than a megabyte of the answer does (docs/performance.md), and over a long line a round trip.
 *
 * How much is asked for at once doubles as long as each read begins where the last one ended. An answer that is not wanted to its end
 * is broken off: what is lost then is what was on its way.
 */
import { abortable } from '../http/abortable.js';
import { blobRange } from './blob.js';
import { layerInfo, type ReadContext } from './context.js';

/** Compressed bytes that are asked for when a read follows the one before, and at most. */
const FIRST_AHEAD = 8 << 20;
const MOST_AHEAD = 64 << 20;

const NOTHING = new Uint8Array(0);

export interface LongRanges {
  /** Bytes [start, end) of a layer's blob, as `blobRange` gives them. */
  read(layer: number, range: { start: number; end: number; signal: AbortSignal }): AsyncGenerator<Uint8Array>;
  /** Breaks off what is open. */
  close(): void;
}

/** An answer under way. */
interface Answer {
  chunks: AsyncIterator<Uint8Array>;
  controller: AbortController;
  /** What came last, from this place of the blob on. Its last byte stays: the next span may begin within it. */
  chunk: Uint8Array;
  chunkAt: number;
  /** One past the last byte that it has. */
  end: number;
  /** Of the read that takes from it now. */
  taken: Turn | undefined;
}

interface Turn {
  /** Resolves at its end. */
  given: Promise<void>;
  end(): void;
}

/** What is known of a layer: where its last read ended, and how much was asked for at once. */
interface Track {
  answer: Answer | undefined;
  end: number;
  ahead: number;
}

export function createLongRanges(context: ReadContext): LongRanges {
  const tracks = new Map<number, Track>();

  function open(layer: number, start: number, end: number): Answer {
    const controller = new AbortController();
    const { signal } = controller;
    const chunks = blobRange(context, layerInfo(context, layer), { start, end, signal });
    return { chunks, controller, chunk: NOTHING, chunkAt: start, end, taken: createTurn() };
  }

  /** The answer that has the byte at `start` next, opened if there is none, for this read alone until it gives it back. */
  async function take(
    layer: number,
    track: Track,
    { start, end, follows, signal }: { start: number; end: number; follows: boolean; signal: AbortSignal },
  ): Promise<Answer> {
    const { answer } = track;
    if (answer && follows && start < answer.end) {
      // The window before may still be taking its part.
      while (answer.taken) await abortable(answer.taken.given, signal);
      if (track.answer === answer && has(answer, start)) {
        answer.taken = createTurn();
        return answer;
      }
    }
    if (track.answer && !track.answer.taken) breakOff(track.answer);
    track.ahead = follows ? Math.min(Math.max(2 * track.ahead, FIRST_AHEAD), MOST_AHEAD) : 0;
    const { size } = layerInfo(context, layer);
    track.answer = open(layer, start, Math.max(end, Math.min(start + track.ahead, size)));
    return track.answer;
  }

  function giveBack(track: Track, answer: Answer, whole: boolean): void {
    const { taken } = answer;
    answer.taken = undefined;
    const isUsedUp = endOf(answer) >= answer.end;
    if (isUsedUp) finish(answer);
    else if (!whole || track.answer !== answer) breakOff(answer);
    if (track.answer === answer && (isUsedUp || !whole)) track.answer = undefined;
    taken?.end();
  }

  async function* read(
    layer: number,
    { start, end, signal }: { start: number; end: number; signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    const track = tracks.get(layer) ?? { answer: undefined, end: -1, ahead: 0 };
    tracks.set(layer, track);
    // Neighbours share the byte that a checkpoint splits.
    let follows = start === track.end || start === track.end - 1;
    track.end = end;
    for (let at = start; at < end; follows = true) {
      const answer = await take(layer, track, { start: at, end, follows, signal });
      const stop = Math.min(end, answer.end);
      const abort = () => answer.controller.abort(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      try {
        while (at < stop) {
          if (at >= endOf(answer)) {
            const next = await answer.chunks.next();
            // A source gives all the bytes that were asked for, or throws.
            if (next.done) return;
            answer.chunkAt = endOf(answer);
            answer.chunk = next.value;
            continue;
          }
          const part = answer.chunk.subarray(at - answer.chunkAt, stop - answer.chunkAt);
          at += part.byteLength;
          yield part;
        }
      } finally {
        signal.removeEventListener('abort', abort);
        giveBack(track, answer, at === stop);
      }
    }
  }

  return {
    read,
    close() {
      for (const { answer } of tracks.values()) if (answer) breakOff(answer);
      tracks.clear();
    },
  };
}

/** One past the last byte of an answer that has come. */
function endOf({ chunk, chunkAt }: Answer): number {
  return chunkAt + chunk.byteLength;
}

function has(answer: Answer, start: number): boolean {
  return start >= answer.chunkAt && start <= endOf(answer) && start < answer.end;
}

/** All of it has come. */
function finish({ chunks }: Answer): void {
  chunks.return?.().catch(() => {});
}

function breakOff(answer: Answer): void {
  answer.controller.abort();
  finish(answer);
}

function createTurn(): Turn {
  let end: () => void = () => {};
  const given = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { given, end };
}
