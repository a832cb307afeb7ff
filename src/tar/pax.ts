/**
 * PAX extended header records on bytes (POSIX.1-2017 pax, 'pax Header Block'): `<length> <keyword>=<value>\n`, where the length
 * counts the whole record in bytes, itself included. Values are bytes: those of xattrs may hold newlines, '=' and NUL, and need
 * not be UTF-8.
 */
import { type ByteString, byteStringToBytes } from '../bytes.js';
import { corruptTar } from './tar-error.js';

export type PaxRecord = readonly [key: ByteString, value: ByteString];

/**
 * Records in their order, repeated keywords included, without those of the keywords in `unwanted`. Throws CORRUPT_TAR; `at` is the
 * bytes' offset in the tar, for that error.
 */
export function decodePax(bytes: Buffer, at = 0, unwanted?: ReadonlySet<string>): PaxRecord[] {
  const records: PaxRecord[] = [];
  let start = 0;
  while (start < bytes.length) {
    let length = 0;
    let i = start;
    // Nine digits are more than any limit lets a header hold.
    for (; i < bytes.length && i - start < 9; i++) {
      const digit = bytes[i]! - 0x30;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    const end = start + length;
    if (i === start || bytes[i] !== 0x20) throw corruptTar('a PAX record without a length', at + start);
    if (end > bytes.length || end < i + 2) throw corruptTar('a PAX record of wrong length', at + start);
    if (bytes[end - 1] !== 0x0a) throw corruptTar('a PAX record without a newline', at + start);
    const keyStart = i + 1;
    let equals = keyStart;
    while (equals < end && bytes[equals] !== 0x3d) {
      if (bytes[equals++] === 0) throw corruptTar('a PAX keyword with a NUL', at + start);
    }
    if (equals === keyStart || equals === end) throw corruptTar('a PAX record without a keyword', at + start);
    const key = (commonKey(bytes, keyStart, equals) ??
      bytes.toString('latin1', keyStart, equals)) as ByteString;
    if (!unwanted?.has(key)) {
      records.push([key, bytes.toString('latin1', equals + 1, end - 1) as ByteString]);
    }
    start = end;
  }
  return records;
}

const TIMES = ['mtime', 'atime', 'ctime'] as const;

/** GNU tar and bsdtar write three times into nearly every header: their keywords need no new strings. */
function commonKey(bytes: Buffer, start: number, end: number): string | undefined {
  if (end - start !== 5 || bytes[start + 1] !== 0x74 || bytes[start + 2] !== 0x69) return undefined;
  if (bytes[start + 3] !== 0x6d || bytes[start + 4] !== 0x65) return undefined;
  return TIMES.find((key) => key.charCodeAt(0) === bytes[start]);
}

/** The bytes of an extended header's body. Keywords must be non-empty and hold neither '=' nor NUL; values may hold anything. */
export function encodePax(records: readonly PaxRecord[]): Buffer {
  return Buffer.concat(records.map(([key, value]) => encodeRecord(key, value)));
}

function encodeRecord(key: ByteString, value: ByteString): Buffer {
  if (key === '' || /[=\0]/.test(key))
    throw new TypeError('a PAX keyword must be non-empty, without "=" and NUL');
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  // The length's own digits may carry it over the next power of ten.
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return byteStringToBytes(`${length} ${key}=${value}\n` as ByteString);
}

const XATTR_ESCAPES = { '%': '%25', '=': '%3D' } as const;

/** GNU tar's escape of the two characters that a PAX keyword cannot hold in an xattr's name. */
export function encodeXattrName(name: ByteString): ByteString {
  return name.replace(/[%=]/g, (char) => XATTR_ESCAPES[char as '%' | '=']) as ByteString;
}

export function decodeXattrName(name: ByteString): ByteString {
  if (!name.includes('%')) return name;
  return name.replace(/%3D|%25/g, (escaped) => (escaped === '%25' ? '%' : '=')) as ByteString;
}
