import type { ByteString } from '../../bytes.js';
import { escapeName } from '../../escape.js';
import type { Entry } from '../../tree/entry.js';

/** A path of the merged tree as it is printed everywhere: absolute, escaped; the command line takes it back. */
export function shownPath(path: ByteString): string {
  return `/${escapeName(path)}`;
}

const TYPE_LETTERS: Record<Entry['type'], string> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  // Only hard links to nothing are shown as links; the letter is tar's.
  hardlink: 'h',
  char: 'c',
  block: 'b',
  fifo: 'p',
};

/** `-rwsr-xr-x`, as ls(1) and stat(1) write it: `s`/`S` and `t`/`T` where setuid, setgid or sticky are set. */
export function modeString(type: Entry['type'], mode: number): string {
  let text = TYPE_LETTERS[type];
  for (const [shift, special, letter] of [
    [6, 0o4000, 's'],
    [3, 0o2000, 's'],
    [0, 0o1000, 't'],
  ] as const) {
    const bits = mode >> shift;
    const executable = (bits & 1) !== 0;
    text += (bits & 4 ? 'r' : '-') + (bits & 2 ? 'w' : '-');
    if (mode & special) text += executable ? letter : letter.toUpperCase();
    else text += executable ? 'x' : '-';
  }
  return text;
}

/** What follows the name of a link: ` -> target`, or where a hard link to nothing leads. */
export function linkSuffix({ type, link }: Entry): string {
  if (type === 'symlink') return ` -> ${escapeName(link)}`;
  return type === 'hardlink' ? ` link to ${shownPath(link)}` : '';
}

/** Bytes as lstat(2) has them: of a file its content, of a link its target's name. */
export function sizeOf(entry: Entry): number {
  return entry.type === 'symlink' ? entry.link.length : entry.size;
}

/** Four octal digits: `0644`, `4755`. */
export function modeDigits(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** Greatest number of seconds either side of 1970 that a Date holds. */
const DATE_LIMIT = 8_640_000_000_000;

/**
 * UTC, ISO 8601 with as many digits of a second as asked for; `@seconds.nanos` (as date(1) takes it) for times that no
 * calendar of four-digit years holds.
 */
export function isoTime(seconds: number, nanos: number, digits: 0 | 9): string {
  const fraction = digits === 0 ? '' : `.${String(nanos).padStart(9, '0')}`;
  if (Math.abs(seconds) <= DATE_LIMIT) {
    const text = new Date(seconds * 1000).toISOString();
    if (/^\d{4}-/.test(text)) return text.replace('.000Z', `${fraction}Z`);
  }
  return `@${seconds}${fraction}`;
}
