import type { ByteString } from '../bytes.js';
import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { MAX_PATH } from './limits.js';
import { type DecodedPaths, decodePaths, faultOfPaths, type PathOrder } from './path-core.js';

/**
 * Front-coded paths: each is told as the length of the prefix that it shares with the one before it, and the rest. Three
 * columns: shared lengths, rest lengths, rests. The first of a block shares nothing, so a block is decoded alone.
 */

export function writePaths(out: ByteWriter, paths: readonly ByteString[]): void {
  const shared = paths.map((path, i) => (i === 0 ? 0 : sharedLength(paths[i - 1]!, path)));
  for (const length of shared) out.varint(length);
  paths.forEach((path, i) => {
    out.varint(path.length - shared[i]!);
  });
  paths.forEach((path, i) => {
    out.byteString(path.slice(shared[i]) as ByteString);
  });
}

/** The paths of a block, in order. */
export class Paths {
  readonly #decoded: DecodedPaths;
  #text: string | undefined;

  constructor(decoded: DecodedPaths) {
    this.#decoded = decoded;
  }

  /** A single path, which must be clean. */
  static of(path: ByteString): Paths {
    return readPaths(new ByteReader(encodeAlone(path), 'path'), 1, ALONE);
  }

  get count(): number {
    return this.#decoded.lines.length - 1;
  }

  /** Whether all bytes are printable ASCII other than a backslash, so that lines can be printed as they are. */
  get plain(): boolean {
    return this.#decoded.plain;
  }

  /** Rows whose path is that of the row before. */
  get repeats(): ReadonlySet<number> {
    return this.#decoded.repeats;
  }

  at(row: number): ByteString {
    const { bytes, lines } = this.#decoded;
    const start = lines[row]! + 1;
    const end = lines[row + 1]! - 1;
    const text = this.#text;
    return (text === undefined ? bytes.toString('latin1', start, end) : text.slice(start, end)) as ByteString;
  }

  /** For who wants most of them: the next are cut from one string, which takes half the time. */
  decodeAll(): void {
    this.#text ??= this.#decoded.bytes.toString('latin1');
  }

  /** Lines [from, to) of a listing: each path between a slash and a newline. */
  lines(from: number, to: number): Uint8Array {
    const { bytes, lines } = this.#decoded;
    return bytes.subarray(lines[from], lines[to]);
  }
}

/** Reads `count` paths; they are checked as core/paths.ts says. */
export function readPaths(reader: ByteReader, count: number, order: PathOrder): Paths {
  const decoded = decodePaths(reader.rest, count, order);
  if (typeof decoded === 'string') return reader.fail(decoded);
  reader.position += decoded.consumed;
  return new Paths(decoded);
}

/** Whether a path is as `Entry.path` demands. */
export function isCleanPath(path: ByteString): boolean {
  return path.length <= MAX_PATH && faultOfPaths(encodeAlone(path), 1, ALONE) === undefined;
}

const ALONE: PathOrder = { allowEqual: false };
const alone = new ByteWriter();

/** As `writePaths` would one path; valid until the next call. */
function encodeAlone(path: ByteString): Uint8Array {
  alone.clear();
  alone.varint(0);
  alone.varint(path.length);
  alone.byteString(path);
  return alone.view();
}

export function sharedLength(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let i = 0;
  while (i < shorter && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i;
}
