import type { Bound } from '../bench/gates.js';
import type { Flag } from './flags.js';
import { parseSize } from './units.js';

function bounds(about: {
  summary: string;
  value: string;
  of: string;
  number: (text: string) => number | undefined;
}): Flag<Bound[]> {
  const { of, number, ...rest } = about;
  return {
    ...rest,
    expects: `${of}, or layer= or span= and ${of} (naive is never gated)`,
    parse: (given) => {
      const match = /^(?:(layer|span)=)?([^=]+)$/.exec(given);
      const limit = match ? number(match[2]!) : undefined;
      return limit === undefined ? undefined : [{ strategy: match?.[1] as Bound['strategy'], limit }];
    },
    fallback: [],
    repeat: true,
  };
}

function whole(text: string): number | undefined {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** 0.95 and 95% are the same rate. */
function rate(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(%)?$/.exec(text);
  const number = match ? Number(match[1]) / (match[2] ? 100 : 1) : Number.NaN;
  return number <= 1 ? number : undefined;
}

/** The gates of `clip bench`; each may be repeated for several strategies. */
export const BOUND_FLAGS = {
  maxInflates: bounds({
    summary: 'fail with status 7 when a strategy inflates more units',
    value: '[STRATEGY=]N',
    of: 'a whole number',
    number: whole,
  }),
  minHitRate: bounds({
    summary: 'fail with status 7 when less of the lookups are hits',
    value: '[STRATEGY=]R',
    of: 'a rate such as 0.95 or 95%',
    number: rate,
  }),
  maxFetchedBytes: bounds({
    summary: 'fail with status 7 when a strategy fetches more',
    value: '[STRATEGY=]SIZE',
    of: 'a size such as 10M',
    number: parseSize,
  }),
  maxRequests: bounds({
    summary: 'fail with status 7 when a strategy sends more requests',
    value: '[STRATEGY=]N',
    of: 'a whole number',
    number: whole,
  }),
};
