/** Adds up the time between `resume` and `pause`: what a decoder took, without what its output was then used for. */
import { now } from '../clock.js';

export interface DecoderClock {
  resume(): void;
  pause(): void;
  /** Seconds since the last take. */
  take(): number;
}

export function createDecoderClock(): DecoderClock {
  let started: number | undefined;
  let total = 0;
  return {
    resume() {
      started ??= now();
    },
    pause() {
      if (started === undefined) return;
      total += now() - started;
      started = undefined;
    },
    take() {
      const seconds = total / 1000;
      total = 0;
      return seconds;
    },
  };
}
