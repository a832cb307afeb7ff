/**
 * Numbers in tar headers: octal text (POSIX ustar), or big-endian base 256 where the first bit is set (GNU, star).
 */

/**
 * Octal: one leading NUL and any blanks are passed over (as GNU tar does, for writers that were wrong about it), the digits end
 * at a NUL, a blank or the field's end, and an empty field is 0. Base 256: the second bit is the sign, two's complement.
 * Returns NaN for what is neither, or beyond ±(2^53−1).
 */
export function readNumber(bytes: Uint8Array, at: number, length: number): number {
  const first = bytes[at]!;
  if (first >= 0x80) return readBase256(bytes, at, length);
  const end = at + length;
  if (first === 0) at++;
  while (at < end && isBlank(bytes[at]!)) at++;
  let value = 0;
  for (; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 7) return bytes[at] === 0 || isBlank(bytes[at]!) ? value : Number.NaN;
    value = value * 8 + digit;
  }
  return value;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function readBase256(bytes: Uint8Array, at: number, length: number): number {
  const negative = (bytes[at]! & 0x40) !== 0;
  const flip = negative ? 0xff : 0;
  // A negative number is −1 − (its bits inverted), so both signs add up small magnitudes and stay exact.
  let magnitude = (bytes[at]! ^ flip) & 0x3f;
  for (let i = at + 1; i < at + length; i++) {
    magnitude = magnitude * 256 + (bytes[i]! ^ flip);
    if (magnitude > Number.MAX_SAFE_INTEGER) return Number.NaN;
  }
  const value = negative ? -1 - magnitude : magnitude;
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

/** Decimal digits only, 0 to 2^53−1, as PAX records and sparse maps write sizes. NaN for anything else. */
export function readDecimal(text: string): number {
  if (text.length === 0 || text.length > 20) return Number.NaN;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
}

/**
 * A PAX time: decimal seconds with an optional fraction, maybe negative (POSIX pax, 'mtime'). Digits beyond nanoseconds are
 * rounded down, towards the past, as GNU tar does. Undefined for anything else.
 */
export function readTime(text: string): { seconds: number; nanos: number } | undefined {
  const negative = text.charCodeAt(0) === 0x2d;
  const start = negative ? 1 : 0;
  const dot = text.indexOf('.');
  const whole = readDecimal(text.slice(start, dot < 0 ? text.length : dot));
  let nanos = 0;
  let finer = false;
  for (let i = dot + 1, weight = 100_000_000; dot >= 0 && i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    if (weight >= 1) nanos += digit * weight;
    else if (digit > 0) finer = true;
    weight /= 10;
  }
  if (Number.isNaN(whole)) return undefined;
  if (!negative) return { seconds: whole, nanos };
  if (finer) nanos++;
  if (nanos === 0) return { seconds: 0 - whole, nanos };
  const seconds = -1 - whole;
  return Number.isSafeInteger(seconds) ? { seconds, nanos: 1_000_000_000 - nanos } : undefined;
}
