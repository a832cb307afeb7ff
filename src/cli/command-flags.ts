/** What each command takes: the table of commands (definitions.ts) and the commands themselves have it from here. */

import { type BenchStrategy, STRATEGIES } from '../bench/results.js';
import { DEFAULT_SPACING } from '../build/options.js';
import { size } from './everywhere.js';
import { count, type Flag, type Flags, place, text, toggle, type Values } from './flags.js';
import { BOUND_FLAGS } from './gate-flags.js';

export interface Input<F extends Flags> {
  /** Positional arguments, as many as the usage line allows. */
  args: string[];
  flags: Values<F>;
}

const json = toggle({ summary: 'print one JSON document instead of text' });

const strings = (about: { summary: string; value: string; expects: string }): Flag<string[]> => ({
  ...about,
  parse: (given) => (given === '' ? undefined : [given]),
  fallback: [],
  repeat: true,
});

const benchStrategies: Flag<BenchStrategy[]> = {
  summary: 'strategy to run; may be repeated (default: all three)',
  value: STRATEGIES.join('|'),
  expects: `one of ${STRATEGIES.join(', ')}`,
  parse: (given) => {
    const found = STRATEGIES.find((known) => known === given);
    return found && [found];
  },
  fallback: [],
  repeat: true,
  env: false,
};

export const INDEX_FLAGS = {
  output: place({
    summary: 'write the index there instead of into the store',
    value: 'FILE',
    short: 'o',
  }),
  spacing: size({
    summary: 'uncompressed bytes between checkpoints: less is a larger index and smaller reads',
    fallback: DEFAULT_SPACING,
    min: 128 << 10,
    max: 64 << 20,
  }),
  json,
};

export const CAT_FLAGS = {
  offset: count({ summary: 'first byte to print (one path only)', fallback: 0, min: 0 }),
  length: count({ summary: 'most bytes to print (one path only)', fallback: undefined, min: 0 }),
};

export const LS_FLAGS = {
  long: toggle({ summary: 'mode, links, owner, group, size, time and link target', short: 'l' }),
  recursive: toggle({ summary: 'all that is below, one path a line', short: 'R' }),
  json: toggle({ summary: 'print one JSON object a line' }),
};

export const STAT_FLAGS = {
  dereference: toggle({ summary: 'follow a last component that is a link', short: 'L' }),
  json,
};

export const EXTRACT_FLAGS = {
  directory: place({ summary: 'folder to extract into; made if missing', value: 'DIR', short: 'C' }),
};

export const INFO_FLAGS = {
  platforms: toggle({ summary: 'list the platforms that the image is there for; no index is built' }),
  json,
};

export const PUSH_FLAGS = { json };

export const PULL_FLAGS = {
  output: place({
    summary: 'write the index there instead of into the store',
    value: 'FILE',
    short: 'o',
  }),
  json,
};

export const VERIFY_FLAGS = { json };

export const BENCH_FLAGS = {
  reads: count({ summary: 'reads per strategy', fallback: 50, min: 1, max: 1_000_000 }),
  file: strings({
    summary: 'read this file (repeatable; round and round until there are enough reads)',
    value: 'PATH',
    expects: 'a path in the image',
  }),
  strategy: benchStrategies,
  seed: count({
    summary: 'seed of the generator that chooses the files',
    fallback: 1,
    min: 0,
    max: 2 ** 32 - 1,
  }),
  concurrency: count({ summary: 'reads in flight at once', fallback: 1, min: 1, max: 100_000 }),
  workers: count({
    summary: 'run so many processes that share the remote cache, the first alone, then the others at once',
    fallback: undefined,
    min: 1,
    max: 1000,
  }),
  naiveLimit: size({
    summary: 'skip naive when it would inflate more than this (unless --strategy names it)',
    fallback: 8 * 1024 ** 3,
  }),
  ...BOUND_FLAGS,
  baseline: text({
    summary: "an earlier run's --json: counts that got worse fail",
    value: 'FILE',
    fallback: undefined,
  }),
  json,
};

export const CACHE_FLAGS = { json };
