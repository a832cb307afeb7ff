import { readFileSync } from 'node:fs';
import { bytesToByteString } from '../bytes.js';
import { escapeName } from '../escape.js';

/** What Node makes of the bytes of an argument that are not UTF-8. */
const REPLACEMENT = '\ufffd';

/**
 * Paths as they were typed, those that are not UTF-8 in the form in which clip prints them: Linux tells the bytes of this process's
 * command line. Elsewhere, and where it does not, they are returned as they are.
 */
export function pathsAsTyped(paths: readonly string[], commandLine = readCommandLine): string[] {
  if (!paths.some((path) => path.includes(REPLACEMENT))) return [...paths];
  const typed = splitAtZeros(commandLine());
  return paths.map((path) => {
    if (!path.includes(REPLACEMENT)) return path;
    const at = typed.findIndex((bytes) => bytes.toString('utf8') === path);
    // Each is used once: two that differ in such bytes alone come in the order in which they were typed.
    const [bytes] = at < 0 ? [] : typed.splice(at, 1);
    return bytes === undefined || bytes.equals(Buffer.from(path))
      ? path
      : escapeName(bytesToByteString(bytes));
  });
}

function readCommandLine(): Buffer {
  try {
    return readFileSync('/proc/self/cmdline');
  } catch {
    return Buffer.alloc(0);
  }
}

function splitAtZeros(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    parts.push(bytes.subarray(start, end < 0 ? bytes.length : end));
    start = (end < 0 ? bytes.length : end) + 1;
  }
  return parts;
}
