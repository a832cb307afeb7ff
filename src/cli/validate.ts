import { ClipError } from '../errors.js';
import { escapeText } from '../escape.js';
import { envName, type Flag, type Flags, flagName } from './flags.js';

/** What commander collected: the texts of a flag in the order given, or true for a switch. */
export type RawFlags = Record<string, string[] | boolean | undefined>;

/**
 * Turns texts into values: command line first, then `CLIP_…` (an empty variable counts as unset), then the default. Throws
 * ClipError USAGE that names the flag or the variable and says what was expected.
 */
export function validateFlags(flags: Flags, raw: RawFlags, env: NodeJS.ProcessEnv): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, flag] of Object.entries(flags)) {
    const given = raw[key];
    const variable = flag.env === false ? undefined : env[envName(key)];
    if (given === true) values[key] = true;
    else if (Array.isArray(given)) values[key] = parseAll(flag, given, `--${flagName(key)}`);
    else if (variable !== undefined && variable !== '')
      values[key] = parseAll(flag, [variable], envName(key));
    else values[key] = flag.fallback;
  }
  return values;
}

function parseAll(flag: Flag<unknown>, texts: readonly string[], origin: string): unknown {
  const values = texts.map((text) => {
    const value = flag.parse(text);
    if (value !== undefined) return value;
    throw new ClipError('USAGE', `${origin} takes ${flag.expects}, not '${escapeText(text)}'`, {
      hint: 'see `clip help` for the flags and what they take',
    });
  });
  return flag.repeat ? values.flat() : values.at(-1);
}
