/**
 * Globs over names that are bytes. Own code because picomatch falls short here: it compiles to a backtracking regular
 * expression, so that a hostile name can hold the process (`*a*b*a*c` on one name of 1000 bytes ran for seconds and grows with
 * the fourth power), and it matches UTF-16 units, so that names that are not UTF-8 and characters beyond the BMP go wrong.
 * Matching here never takes more than (length of the pattern × length of the path) steps per segment pair.
 *
 * Syntax: `*` any characters but '/', `?` one character, `[a-z]` `[!a-z]` `[^a-z]` one character of a set, `{a,b}` either
 * (nested, up to 1024 alternatives), `**` as a whole segment any number of segments, none included. A leading dot is nothing
 * special. A backslash takes the next character literally; `\n`, `\t` and `\xHH` are as `escapeName` prints them. A
 * character is a Unicode character where the name is valid UTF-8 and a byte where it is not.
 */
import { type ByteString, textToByteString } from '../bytes.js';
import { ClipError } from '../errors.js';
import { codePointAt, escapeName, utf8Length } from '../escape.js';

const MAX_ALTERNATIVES = 1024;
const MAX_PATTERN = 4096;
const NOT_ASCII = /[\x80-\xff]/;

/** Any characters: one or more `*`. */
const STAR = -1;
/** Any one character. */
const ANY = -2;

/** A character's code point, STAR, ANY, or a set. Bytes that are not UTF-8 are U+DC80–U+DCFF, which valid UTF-8 never has. */
type Token = number | CharacterSet;

interface CharacterSet {
  negated: boolean;
  ranges: (readonly [from: number, to: number])[];
}

/** One path segment of a pattern, or `**`. */
type Segment = readonly Token[] | '**';

/** One alternative of a pattern, its braces expanded. */
export interface Glob {
  /** The leading segments without wildcards: all that matches is below this path. */
  base: ByteString;
  /** What the path below `base` must match; empty where the pattern has no wildcard. */
  rest: readonly Segment[];
  /** The pattern ends in a slash: only directories match. */
  directoryOnly: boolean;
}

/** True where a text holds a wildcard that is not escaped. */
export function isGlob(text: string): boolean {
  return /[*?[{]/.test(text.replace(/\\./gsu, ''));
}

/** Compiles a pattern into its alternatives. Throws ClipError USAGE: too long, or too many braces. */
export function parseGlob(pattern: string): Glob[] {
  if (pattern.length > MAX_PATTERN) {
    throw new ClipError('USAGE', `a pattern is longer than ${MAX_PATTERN} characters`, {
      hint: 'use several, or wildcards',
    });
  }
  return expandBraces(unescapeBytes(pattern)).map((text) => {
    const segments = splitSegments(text);
    const firstWild = segments.findIndex((segment) => segment === '**' || !isPlain(segment));
    const plain = firstWild < 0 ? segments : segments.slice(0, firstWild);
    return {
      base: plain.map((segment) => bytesOf(segment as readonly number[])).join('/') as ByteString,
      rest: firstWild < 0 ? [] : segments.slice(firstWild),
      directoryOnly: text.endsWith('/'),
    };
  });
}

/** True where the whole of `path` (relative to the glob's base) matches. */
export function matchGlob(glob: Glob, path: ByteString): boolean {
  const names = path === '' ? [] : path.split('/');
  return matchStars(names.length, glob.rest.length, {
    isStar: (at) => glob.rest[at] === '**',
    fits: (at, place) => matchSegment(glob.rest[at] as readonly Token[], names[place]!),
  });
}

function matchSegment(tokens: readonly Token[], name: string): boolean {
  const characters = NOT_ASCII.test(name) ? charactersOf(name) : undefined;
  return matchStars(characters?.length ?? name.length, tokens.length, {
    isStar: (at) => tokens[at] === STAR,
    fits: (at, place) => fits(tokens[at]!, characters ? characters[place]! : name.charCodeAt(place)),
  });
}

/**
 * Matches a sequence against a pattern in which stars take any run. Going back to the last star alone is enough: what an
 * earlier star could take more, the last one can take too.
 */
function matchStars(
  length: number,
  patternLength: number,
  pattern: { isStar(at: number): boolean; fits(at: number, place: number): boolean },
): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let starPlace = 0;
  while (place < length) {
    if (at < patternLength && pattern.isStar(at)) {
      star = at++;
      starPlace = place;
    } else if (at < patternLength && pattern.fits(at, place)) {
      at++;
      place++;
    } else if (star >= 0) {
      at = star + 1;
      place = ++starPlace;
    } else {
      return false;
    }
  }
  while (at < patternLength && pattern.isStar(at)) at++;
  return at === patternLength;
}

function fits(token: Token, character: number): boolean {
  if (typeof token === 'number') return token === ANY || token === character;
  const isIn = token.ranges.some(([from, to]) => character >= from && character <= to);
  return isIn !== token.negated;
}

/** `\n`, `\t` and runs of `\xHH` become the characters they stand for, escaped where those mean something in a pattern. */
function unescapeBytes(pattern: string): string {
  return pattern.replace(/((?:\\x[0-9a-fA-F]{2})+)|\\(.)/gsu, (whole, bytes?: string, other?: string) => {
    if (bytes) {
      const name = bytes.replace(/\\x(..)/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
      return charactersOf(name)
        .map((point) => `\\${String.fromCodePoint(point)}`)
        .join('');
    }
    return other === 'n' ? '\\\n' : other === 't' ? '\\\t' : whole;
  });
}

/** The alternatives of a pattern. Braces that do not close, or hold no comma, are ordinary characters. */
function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  const todo = [pattern];
  for (let text = todo.pop(); text !== undefined; text = todo.pop()) {
    const braces = firstBraces(text);
    if (!braces) {
      done.push(text);
    } else {
      const { open, commas, close } = braces;
      const marks = [open, ...commas, close];
      for (let i = marks.length - 2; i >= 0; i--) {
        todo.push(text.slice(0, open) + text.slice(marks[i]! + 1, marks[i + 1]) + text.slice(close + 1));
      }
    }
    if (done.length + todo.length > MAX_ALTERNATIVES) {
      throw new ClipError('USAGE', `a pattern stands for more than ${MAX_ALTERNATIVES} alternatives`, {
        hint: 'use several with fewer braces each',
      });
    }
  }
  return done;
}

/** The first pair of braces with a comma between them at their own level. */
function firstBraces(text: string): { open: number; commas: number[]; close: number } | undefined {
  const opened: { open: number; commas: number[] }[] = [];
  let best: { open: number; commas: number[]; close: number } | undefined;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '\\') i++;
    else if (character === '{') opened.push({ open: i, commas: [] });
    else if (character === ',') opened.at(-1)?.commas.push(i);
    else if (character === '}') {
      const pair = opened.pop();
      if (pair && pair.commas.length > 0 && (!best || pair.open < best.open)) best = { ...pair, close: i };
      if (best && opened.length === 0) return best;
    }
  }
  return best;
}

/** Segments of a pattern without its braces; empty ones and `.` are dropped, repeated `**` are one. */
function splitSegments(text: string): Segment[] {
  const segments: Segment[] = [];
  let tokens: Token[] = [];
  let raw = '';
  const finish = () => {
    if (raw === '**') {
      if (segments.at(-1) !== '**') segments.push('**');
    } else if (raw !== '' && raw !== '.') {
      segments.push(tokens);
    }
    tokens = [];
    raw = '';
  };
  const characters = Array.from(text);
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (character === '/') {
      finish();
      continue;
    }
    raw += character;
    const set = character === '[' ? parseSet(characters, i) : undefined;
    if (character === '\\' && i + 1 < characters.length) {
      raw += characters[++i]!;
      tokens.push(characters[i]!.codePointAt(0)!);
    } else if (set) {
      tokens.push(set.set);
      i = set.end;
    } else if (character === '*') {
      if (tokens.at(-1) !== STAR) tokens.push(STAR);
    } else {
      tokens.push(character === '?' ? ANY : character.codePointAt(0)!);
    }
  }
  finish();
  return segments;
}

/** The set that opens at `start`, and where its `]` is; undefined where it does not close within its segment. */
function parseSet(
  characters: readonly string[],
  start: number,
): { set: CharacterSet; end: number } | undefined {
  let i = start + 1;
  const negated = characters[i] === '!' || characters[i] === '^';
  if (negated) i++;
  const members: { point: number; dash: boolean }[] = [];
  for (let first = true; ; first = false, i++) {
    let character = characters[i];
    if (character === undefined || character === '/') return undefined;
    if (character === ']' && !first) break;
    const isEscaped = character === '\\' && characters[i + 1] !== undefined;
    if (isEscaped) character = characters[++i]!;
    members.push({ point: character.codePointAt(0)!, dash: character === '-' && !isEscaped });
  }
  const ranges: (readonly [number, number])[] = [];
  for (let m = 0; m < members.length; m++) {
    const to = members[m + 2];
    if (members[m + 1]?.dash && to) {
      ranges.push([members[m]!.point, to.point]);
      m += 2;
    } else {
      ranges.push([members[m]!.point, members[m]!.point]);
    }
  }
  return { set: { negated, ranges }, end: i };
}

function isPlain(segment: readonly Token[]): boolean {
  return segment.every((token) => typeof token === 'number' && token >= 0);
}

/** Code points of a name; bytes that are not UTF-8 as U+DC80–U+DCFF. */
function charactersOf(name: string): number[] {
  const points: number[] = [];
  for (let i = 0; i < name.length; ) {
    const length = utf8Length(name, i);
    points.push(length === 0 ? 0xdc00 + name.charCodeAt(i) : codePointAt(name, i, length));
    i += Math.max(length, 1);
  }
  return points;
}

function bytesOf(points: readonly number[]): string {
  return points
    .map((point) =>
      point >= 0xdc80 && point <= 0xdcff
        ? String.fromCharCode(point - 0xdc00)
        : textToByteString(String.fromCodePoint(point)),
    )
    .join('');
}

/** How a glob is named in an error. */
export function describeGlob(pattern: string): string {
  return escapeName(textToByteString(pattern)).replaceAll('\\\\', '\\');
}
