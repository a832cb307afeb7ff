/** `WWW-Authenticate` challenges (RFC 9110 § 11.6.1; distribution-spec, token authentication). */

export interface Challenge {
  /** Lower case: `basic`, `bearer`, … */
  scheme: string;
  /** Names in lower case. */
  parameters: Readonly<Record<string, string>>;
}

const MAX_HEADER = 8192;
const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
const PARAMETER = new RegExp(`^(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`);
const SCHEME = new RegExp(`^(${TOKEN})(?:[ \\t]+|(?=,|$))`);
const TOKEN68 = /^[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/;

/** Every challenge of a header, in order; what cannot be read ends the list. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = header.slice(0, MAX_HEADER);
  const skip = (length: number): void => {
    rest = rest.slice(length).replace(/^[ \t]+/, '');
  };
  for (;;) {
    rest = rest.replace(/^[ \t,]+/, '');
    const scheme = SCHEME.exec(rest);
    if (scheme === null) return challenges;
    skip(scheme[0].length);
    const parameters: Record<string, string> = Object.create(null) as Record<string, string>;
    challenges.push({ scheme: scheme[1]!.toLowerCase(), parameters });
    for (let match = PARAMETER.exec(rest); match !== null; match = PARAMETER.exec(rest)) {
      parameters[match[1]!.toLowerCase()] = match[3] ?? match[2]!.replace(/\\(.)/g, '$1');
      skip(match[0].length);
      if (!rest.startsWith(',')) break;
      const after = rest.replace(/^[ \t,]+/, '');
      if (!PARAMETER.test(after)) break;
      rest = after;
    }
    const token = TOKEN68.exec(rest);
    if (token !== null) skip(token[0].length);
  }
}
