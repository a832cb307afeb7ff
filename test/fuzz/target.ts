import type { Random } from './random.js';

/** One thing that is fuzzed. An input is a string of bytes; what it means is the target's own. */
export interface Target {
  readonly name: string;
  /** Folders and files below dist/src whose coverage guides the run. */
  readonly code: readonly string[];
  /** Valid inputs to begin with. */
  seeds(): Promise<readonly Uint8Array[]> | readonly Uint8Array[];
  /** A new input from one of the corpus, and another one to borrow from. Knows the input's structure. */
  mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array;
  /**
   * Runs the code on an input and holds it against its oracles. Returns whether the input was taken or refused (with a typed
   * ClipError); anything else that it throws is a bug. `thorough`: slow oracles are asked too.
   */
  run(input: Uint8Array, thorough: boolean): Outcome | Promise<Outcome>;
  close?(): Promise<void>;
}

export type Outcome = 'taken' | 'refused';
