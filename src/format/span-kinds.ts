import type { StartKind } from './model.js';

/** Kinds of starts by their number in the format. */
export const START_KINDS: readonly StartKind[] = ['member', 'block', 'symbol', 'frame', 'raw'];

/** Spans in one block of the table: 256 digests are 8 KiB, what one lookup of a span has to read. */
export const SPANS_PER_BLOCK = 256;
