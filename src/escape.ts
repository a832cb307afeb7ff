/**
 * The one way in which names and foreign text reach a terminal, a log or an error message.
 *
 * Printable UTF-8 stays as it is. Everything that could fool a reader or a terminal is written as an escape:
 *
 * | in the name | printed |
 * |---|---|
 * | backslash | `\\` |
 * | newline, tab | `\n`, `\t` |
 * | other control characters (C0, DEL, C1) | `\xHH` for each byte of their UTF-8 form |
 * | format characters (Unicode Cf: bidi overrides and isolates, zero-width joiners, soft hyphen, tags, BOM) | the same |
 * | line and paragraph separators, spaces other than U+0020 (Unicode Zl, Zp, Zs) | the same |
 * | a byte that is not part of valid UTF-8 (overlong forms, surrogates and values over U+10FFFF included) | `\xHH` |
 *
 * `HH` is two lower-case hexadecimal digits. What is printed can be pasted back: see `candidatesOf`.
 */
import { type ByteString, textToByteString } from './bytes.js';

const PLAIN = /^[\x20-\x5b\x5d-\x7e]*$/;

/** A name as printable text; `unescapeName` is its inverse for every byte string. */
export function escapeName(name: ByteString): string {
  if (PLAIN.test(name)) return name;
  let text = '';
  for (let i = 0; i < name.length; ) {
    const byte = name.charCodeAt(i);
    if (byte < 0x80) {
      text += escapeAscii(byte);
      i++;
      continue;
    }
    const length = utf8Length(name, i);
    const character = length === 0 ? '' : String.fromCodePoint(codePointAt(name, i, length));
    if (length === 0 || isUnsafe(character)) {
      const end = i + Math.max(length, 1);
      for (; i < end; i++) text += hex(name.charCodeAt(i));
    } else {
      text += character;
      i += length;
    }
  }
  return text;
}

/**
 * The name that an escaped text stands for, or undefined where a backslash does not begin one of the escapes above
 * (upper-case digits are accepted too).
 */
export function unescapeName(text: string): ByteString | undefined {
  const bytes = textToByteString(text);
  if (!bytes.includes('\\')) return bytes;
  let name = '';
  let done = 0;
  for (let at = bytes.indexOf('\\'); at >= 0; at = bytes.indexOf('\\', done)) {
    name += bytes.slice(done, at);
    const kind = bytes[at + 1];
    if (kind === '\\' || kind === 'n' || kind === 't') {
      name += kind === 'n' ? '\n' : kind === 't' ? '\t' : '\\';
      done = at + 2;
    } else {
      const digits = bytes.slice(at + 2, at + 4);
      if (kind !== 'x' || !/^[0-9a-fA-F]{2}$/.test(digits)) return undefined;
      name += String.fromCharCode(Number.parseInt(digits, 16));
      done = at + 4;
    }
  }
  return (name + bytes.slice(done)) as ByteString;
}

/**
 * The names that a command-line argument may mean, in the order to try them: the unescaped form first, so that what clip
 * prints can always be pasted back, then the text taken literally, so that a name such as systemd's `a\x2db.slice` can be
 * typed as it is wherever no file has the unescaped name. One element where both are the same or the first is invalid.
 */
export function candidatesOf(text: string): ByteString[] {
  const literal = textToByteString(text);
  const unescaped = unescapeName(text);
  return unescaped === undefined || unescaped === literal ? [literal] : [unescaped, literal];
}

/**
 * Foreign text that is no name (a server's message, a header) made safe to print, by the same table. Backslashes stay single:
 * nobody pastes a message back. A lone surrogate is printed as U+FFFD.
 */
export function escapeText(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}\p{Cs}]/gu, (character) => {
    if (character === ' ') return character;
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    const bytes = textToByteString(character);
    if (bytes === '\xef\xbf\xbd') return '\ufffd';
    let escaped = '';
    for (let i = 0; i < bytes.length; i++) escaped += hex(bytes.charCodeAt(i));
    return escaped;
  });
}

/** Here and not at the top: V8 takes half a millisecond of the start-up time for such an expression. */
function isUnsafe(character: string): boolean {
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}]/u.test(character);
}

function escapeAscii(byte: number): string {
  if (byte === 0x5c) return '\\\\';
  if (byte === 0x0a) return '\\n';
  if (byte === 0x09) return '\\t';
  return byte < 0x20 || byte === 0x7f ? hex(byte) : String.fromCharCode(byte);
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/** Bytes of the well-formed UTF-8 sequence at `at` of a byte string (Unicode, table 3-7), or 0 where there is none. */
export function utf8Length(name: string, at: number): number {
  const lead = name.charCodeAt(at);
  if (lead < 0x80) return 1;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > name.length) return 0;
  const second = name.charCodeAt(at + 1);
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = at + 2; i < at + length; i++) if ((name.charCodeAt(i) & 0xc0) !== 0x80) return 0;
  return length;
}

/** The code point of the well-formed sequence of `length` bytes at `at`. */
export function codePointAt(name: string, at: number, length: number): number {
  let point = length === 1 ? name.charCodeAt(at) : name.charCodeAt(at) & (0x7f >> length);
  for (let i = at + 1; i < at + length; i++) point = (point << 6) | (name.charCodeAt(i) & 0x3f);
  return point;
}
