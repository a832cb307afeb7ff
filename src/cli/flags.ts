/**
 * One definition per flag: the help, the environment variable, the validation and the test that holds docs/cli.md all read it.
 */

export interface Flag<T> {
  /** Part of a sentence, for the help and the documentation. */
  readonly summary: string;
  /** What stands for the value in the help (`SIZE`); a switch has none. */
  readonly value?: string;
  /** One letter. */
  readonly short?: string;
  /** What a value has to be, for the error: `a size such as 64M`. */
  readonly expects: string;
  /** Undefined when the text is not what `expects` says. */
  readonly parse: (text: string) => T | undefined;
  readonly fallback: T;
  /** How the default is shown; none when there is nothing to say. */
  readonly shown?: string;
  /** May be given several times; the parsed arrays are joined. */
  readonly repeat?: true;
  /** False where the variable of that name means something else. */
  readonly env?: false;
}

/** Flags by name in camelCase. */
export type Flags = Readonly<Record<string, Flag<unknown>>>;
export type Values<F extends Flags> = { -readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

interface About {
  summary: string;
  value?: string;
  short?: string;
}

/** `memoryCache` → `memory-cache`. */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `memoryCache` → `CLIP_MEMORY_CACHE`. */
export function envName(key: string): string {
  return `CLIP_${flagName(key).replaceAll('-', '_').toUpperCase()}`;
}

const TRUTH: Record<string, boolean> = {
  '1': true,
  true: true,
  yes: true,
  on: true,
  '0': false,
  false: false,
  no: false,
  off: false,
};

export function toggle(about: Omit<About, 'value'>): Flag<boolean> {
  return {
    ...about,
    expects: '1 or 0 (true or false)',
    parse: (text) => TRUTH[text.toLowerCase()],
    fallback: false,
  };
}

/** Any text, possibly restricted by `check`. */
export function text<T extends string | undefined>(
  about: About & {
    value: string;
    fallback: T;
    shown?: string;
    expects?: string;
    check?: (text: string) => boolean;
  },
): Flag<T | string> {
  const { check = (given: string) => given !== '', expects = `a ${about.value}`, ...rest } = about;
  return { ...rest, expects, parse: (given) => (check(given) ? given : undefined) };
}

/**
 * Where something is written. Node makes U+FFFD of the bytes of an argument that are not UTF-8, and what is written would land under
 * another name than the one that was typed.
 */
export function place(about: About & { value: string; shown?: string }): Flag<string | undefined> {
  return text({
    ...about,
    fallback: undefined,
    expects: `a ${about.value} whose name is UTF-8`,
    check: (given) => given !== '' && !given.includes('\ufffd'),
  });
}

export function choice<const T extends string, D extends T | undefined>(
  about: About & { choices: readonly T[]; fallback: D; shown?: string },
): Flag<T | D> {
  const { choices, ...rest } = about;
  return {
    ...rest,
    value: rest.value ?? choices.join('|'),
    expects: `one of ${choices.join(', ')}`,
    parse: (given) => choices.find((known) => known === given),
    ...(rest.shown === undefined && rest.fallback !== undefined ? { shown: rest.fallback } : {}),
  };
}

/** A whole number from `min` to `max`. */
export function count<D extends number | undefined>(
  about: About & { fallback: D; min: number; max?: number },
): Flag<number | D> {
  const { min, max = Number.MAX_SAFE_INTEGER, ...rest } = about;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return {
    value: 'N',
    ...rest,
    expects: `a whole number ${range}`,
    parse: (given) => {
      const number = /^\d+$/.test(given) ? Number(given) : Number.NaN;
      return number >= min && number <= max ? number : undefined;
    },
    ...(rest.fallback === undefined ? {} : { shown: String(rest.fallback) }),
  };
}
