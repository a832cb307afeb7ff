/** Adds up the time between `resume` and `pause`: what a decoder took, without what its output was then used for. */
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
      started ??= performance.now();
    },
    pause() {
      if (started === undefined) return;
      total += performance.now() - started;
      started = undefined;
    },
    take() {
      const seconds = total / 1000;
      total = 0;
      return seconds;
    },
  };
}
