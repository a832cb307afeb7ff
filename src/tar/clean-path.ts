import { type ByteString, byteStringToBytes } from '../bytes.js';

const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * Cleans a member's name as `Entry.path` is documented: relative to the root, no empty, `.` or `..` component.
 *
 * `..` is resolved lexically and stops at the root, as containerd does (filepath.Clean, then a join inside the root) and umoci
 * (CleanPath of '/' + name): `a/../b` is `b` even where `a` is a symlink, and `../../b` is `b`. GNU tar refuses such names.
 *
 * Works on bytes [start, end), so that the common name (with or without `./` or `/` ahead and `/` behind) becomes one string that
 * holds nothing else alive.
 */
export function cleanPathBytes(bytes: Buffer, start: number, end: number): ByteString {
  while (start < end) {
    if (bytes[start] === SLASH) start++;
    else if (bytes[start] === DOT && (start + 1 === end || bytes[start + 1] === SLASH)) start++;
    else break;
  }
  while (end > start && bytes[end - 1] === SLASH) end--;
  let component = start;
  for (let i = start; i < end; i++) {
    if (bytes[i] !== SLASH) continue;
    if (isOdd(bytes, component, i)) return cleanSlowly(bytes.toString('latin1', start, end));
    component = i + 1;
  }
  const name = bytes.toString('latin1', start, end);
  return isOdd(bytes, component, end) ? cleanSlowly(name) : (name as ByteString);
}

/** As `cleanPathBytes`, of a name that is a string already. */
export function cleanPath(name: ByteString): ByteString {
  const bytes = byteStringToBytes(name);
  return cleanPathBytes(bytes, 0, bytes.length);
}

/** Whether a component is empty, `.` or `..`. */
function isOdd(bytes: Buffer, from: number, to: number): boolean {
  const length = to - from;
  if (length === 0) return true;
  return length <= 2 && bytes[from] === DOT && bytes[to - 1] === DOT;
}

function cleanSlowly(name: string): ByteString {
  const kept: string[] = [];
  for (const component of name.split('/')) {
    if (component === '..') kept.pop();
    else if (component !== '' && component !== '.') kept.push(component);
  }
  return kept.join('/') as ByteString;
}
