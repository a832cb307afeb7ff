/**
 * Sizes and durations as people type and read them. `K`, `M`, `G`, `T` and `KiB` … are powers of 1024, `kB`, `MB` … powers
 * of 1000: the rule of GNU coreutils, so that a number means the same here as in `truncate -s` or `split -b`.
 */

const POWERS = ['', 'k', 'm', 'g', 't'];

/** Bytes, a safe integer ≥ 0; undefined when `text` is no size. Fractions (`1.5G`) are rounded down to whole bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?b)?|b)?$/i.exec(text.trim());
  if (!match) return undefined;
  const [, digits, letter = '', suffix = ''] = match;
  const base = suffix.toLowerCase() === 'b' ? 1000 : 1024;
  const bytes = Math.floor(Number(digits) * base ** POWERS.indexOf(letter.toLowerCase()));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `412 B`, `1.5 KiB`, `12.3 MiB`: three or four significant digits, powers of 1024. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

const SECONDS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds, 1 to 2^31−1 (the longest timer there is); a bare number is seconds. Undefined when `text` is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/.exec(text.trim());
  if (!match) return undefined;
  const milliseconds = Math.round(Number(match[1]) * SECONDS[match[2] ?? 's']!);
  return milliseconds >= 1 && milliseconds < 2 ** 31 ? milliseconds : undefined;
}

/** `0.4 ms`, `350 ms`, `4.20 s`, `75.0 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 0.01) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
}

/** `1 read`, `2 reads`. */
export function counted(count: number, noun: string): string {
  const plural = /(s|x|ch)$/.test(noun) ? `${noun}es` : noun.replace(/([^aeiou])y$/, '$1ie').concat('s');
  return `${count} ${count === 1 ? noun : plural}`;
}
