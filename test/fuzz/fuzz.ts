/**
 * The loop: takes inputs from the corpus, changes them, runs them, keeps those that reach new code. With the same target, seed and corpus
 * it does the same executions in the same order; only where it stops depends on the clock.
 */
import { isClipError } from '../../src/errors.js';
import { type Coverage, type Figures, startCoverage } from './coverage.js';
import { createRandom, hashOf, type Random } from './random.js';
import type { Outcome, Target } from './target.js';

/** Executions between two looks at the coverage, which cost about a millisecond each. */
const BATCH = 32;
/** Slow oracles are asked about one input in this many, and about each that is kept. */
const THOROUGH = 64;
/** Longest time one input may take, milliseconds. */
const SLOW = 5000;

export interface FuzzOptions {
  target: Target;
  seed: number;
  /** Inputs to begin with, besides the target's own. */
  corpus: readonly Uint8Array[];
  /** Ends after so many executions or milliseconds. */
  runs?: number;
  milliseconds?: number;
  /** Called before each execution. */
  watch?: (input: Uint8Array) => void;
  /** Called for each new bug. */
  report?: (finding: Finding) => void;
}

export interface Finding {
  target: string;
  input: Uint8Array;
  error: Error;
}

export interface FuzzResult {
  target: string;
  executions: number;
  /** How many of them the code took; the others it refused. */
  taken: number;
  seconds: number;
  /** Inputs that are worth keeping: each reached something that those before did not. */
  kept: Uint8Array[];
  findings: Finding[];
  figures: Figures;
  missed: string[];
}

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { target, seed, runs = Number.POSITIVE_INFINITY, milliseconds = Number.POSITIVE_INFINITY } = options;
  const coverage = startCoverage({ code: target.code, counts: true });
  try {
    const random = createRandom(seed);
    const findings = new Map<string, Finding>();
    const counts = { executions: 0, taken: 0 };
    const began = performance.now();
    const isOver = () => counts.executions >= runs || performance.now() - began >= milliseconds;
    const execute = async (input: Uint8Array, thorough: boolean): Promise<void> => {
      options.watch?.(input);
      counts.executions++;
      try {
        if ((await runOnce(target, input, thorough)) === 'taken') counts.taken++;
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        const name = error.message.replaceAll(/[0-9]+/g, 'N').slice(0, 120);
        if (findings.has(name)) return;
        const finding = { target: target.name, input, error };
        findings.set(name, finding);
        options.report?.(finding);
      }
    };

    const kept: Uint8Array[] = [];
    const begin = async (inputs: readonly Uint8Array[]): Promise<void> => {
      for (const input of inputs) {
        await execute(input, true);
        if (coverage.keep()) kept.push(input);
      }
    };
    const seeds = await target.seeds();
    await begin([...seeds, ...options.corpus]);
    if (kept.length === 0) kept.push(seeds[0] ?? new Uint8Array(0));
    while (!isOver()) {
      const batch: Uint8Array[] = [];
      while (batch.length < BATCH && !isOver()) {
        const input = target.mutate(choose(kept, random), choose(kept, random), random);
        batch.push(input);
        await execute(input, hashOf(input) % THOROUGH === 0);
      }
      if (!coverage.look()) continue;
      await keepNew({ batch, coverage, kept, execute });
    }
    return {
      target: target.name,
      ...counts,
      seconds: (performance.now() - began) / 1000,
      kept,
      findings: [...findings.values()],
      figures: coverage.figures(),
      missed: coverage.missed(),
    };
  } finally {
    coverage.stop();
  }
}

/** Which inputs of a batch reached what is new? Runs them one by one. */
async function keepNew(of: {
  batch: readonly Uint8Array[];
  coverage: Coverage;
  kept: Uint8Array[];
  execute(input: Uint8Array, thorough: boolean): Promise<void>;
}): Promise<void> {
  for (const input of of.batch) {
    await of.execute(input, false);
    if (!of.coverage.keep()) continue;
    of.kept.push(input);
    await of.execute(input, true);
  }
}

/** Newer inputs lead further. */
function choose(kept: readonly Uint8Array[], random: Random): Uint8Array {
  const oldest = random.oneIn(2) ? 0 : Math.floor(kept.length * 0.75);
  return kept[oldest + random.below(kept.length - oldest)]!;
}

/** One input, with what holds for every target: a typed error or none, in time. */
export async function runOnce(target: Target, input: Uint8Array, thorough: boolean): Promise<Outcome> {
  const began = performance.now();
  let outcome: Outcome;
  try {
    outcome = await target.run(input, thorough);
  } catch (error) {
    if (!isClipError(error)) throw error;
    outcome = 'refused';
  }
  const took = performance.now() - began;
  if (took > SLOW) throw new Error(`an input of ${input.length} bytes took ${Math.round(took)} ms`);
  return outcome;
}

/** The smallest inputs, smallest first, that together reach all that `inputs` reach. */
export async function minimise(target: Target, inputs: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const coverage = startCoverage({ code: target.code, counts: false });
  try {
    const kept: Uint8Array[] = [];
    // What only the seeds need is not the corpus's to carry.
    for (const input of await target.seeds()) {
      await runOnce(target, input, false).catch(() => {});
      coverage.keep();
    }
    for (const input of inputs.toSorted((a, b) => a.length - b.length || hashOf(a) - hashOf(b))) {
      await runOnce(target, input, false).catch(() => {});
      if (coverage.keep()) kept.push(input);
    }
    return kept;
  } finally {
    coverage.stop();
  }
}

/** A shorter input that fails in the same way: cuts pieces out while the message stays. */
export async function shorten(target: Target, { input, error }: Finding): Promise<Uint8Array> {
  const same = async (candidate: Uint8Array): Promise<boolean> => {
    try {
      await runOnce(target, candidate, true);
      return false;
    } catch (thrown) {
      return thrown instanceof Error && similar(thrown.message) === similar(error.message);
    }
  };
  let shortest = input;
  let tries = 400;
  for (let size = Math.ceil(input.length / 2); size >= 1 && tries > 0; size = Math.floor(size / 2)) {
    for (let at = 0; at < shortest.length && tries > 0; tries--) {
      const candidate = Buffer.concat([shortest.subarray(0, at), shortest.subarray(at + size)]);
      if (await same(candidate)) shortest = candidate;
      else at += size;
    }
  }
  return shortest;
}

function similar(message: string): string {
  return message.replaceAll(/[0-9]+/g, 'N').slice(0, 60);
}
