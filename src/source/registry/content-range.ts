export interface ContentRange {
  /** First and last byte, inclusive. */
  first: number;
  last: number;
  /** Size of the whole, undefined if the server does not say (`*`). */
  total: number | undefined;
}

/** Parses `bytes first-last/total` (RFC 9110 § 14.4). Undefined for anything else: other units, several ranges, nonsense. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^bytes ([0-9]{1,16})-([0-9]{1,16})\/(?:([0-9]{1,16})|\*)$/i.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2]);
  const total = match[3] === undefined ? undefined : Number(match[3]);
  if (last < first || !Number.isSafeInteger(last) || (total !== undefined && last >= total)) return undefined;
  return { first, last, total };
}
