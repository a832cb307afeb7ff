/** Headers that describe the entry after them: PAX `x` and `g` (and Solaris' `X`), GNU long name `L` and long link `K`. */
import type { ByteString } from '../bytes.js';
import type { TarLimits } from './limits.js';
import { decodePax, type PaxRecord } from './pax.js';
import {
  applyRecords,
  NO_OVERRIDES,
  type Overrides,
  overridesBytes,
  UNWANTED_KEYS,
} from './pax-overrides.js';
import { type PaxSparse, readPaxSparse } from './sparse.js';
import { tarLimit } from './tar-error.js';

/** What is known of the next entry besides its own header block. */
export interface Extras {
  readonly overrides: Overrides;
  readonly longName: ByteString | undefined;
  readonly longLink: ByteString | undefined;
  readonly sparse: PaxSparse | undefined;
}

export interface MetaReader {
  /** Whether a header was read whose entry has not come yet. */
  readonly pending: boolean;
  /**
   * Begins a body of `size` bytes for a header of this typeflag at tar offset `at`. True when it is complete already (empty).
   * Throws LIMIT.
   */
  begin(typeflag: number, size: number, at: number): boolean;
  /** The next block of the body. True when that was the last. Throws CORRUPT_TAR, LIMIT. */
  block(bytes: Buffer): boolean;
  /** What holds for the entry whose own header comes now; the next one starts afresh, with the global records only. */
  take(): Extras;
}

const LOWER_G = 0x67;
const UPPER_K = 0x4b;
const UPPER_L = 0x4c;

export function isMeta(typeflag: number): boolean {
  // x, X, g, L, K
  return (
    typeflag === 0x78 ||
    typeflag === 0x58 ||
    typeflag === LOWER_G ||
    typeflag === UPPER_L ||
    typeflag === UPPER_K
  );
}

export function createMetaReader(limits: TarLimits): MetaReader {
  // Grows as bytes come, never by what a header announces.
  let body = Buffer.alloc(4096);
  let have = 0;
  let size = 0;
  let kind = 0;
  let at = 0;

  let globals = NO_OVERRIDES;
  let records: PaxRecord[] | undefined;
  let recordsAt = 0;
  let longName: ByteString | undefined;
  let longLink: ByteString | undefined;
  let plain: Extras = { overrides: globals, longName: undefined, longLink: undefined, sparse: undefined };

  /** A GNU name ends at its NUL; an empty one says nothing, as in Go. */
  function untilNul(bytes: Buffer): ByteString | undefined {
    const nul = bytes.indexOf(0);
    const name = bytes.toString('latin1', 0, nul < 0 ? bytes.length : nul);
    return name === '' ? undefined : (name as ByteString);
  }

  function finish(): void {
    const bytes = body.subarray(0, size);
    if (kind === UPPER_L) longName = untilNul(bytes);
    else if (kind === UPPER_K) longLink = untilNul(bytes);
    else if (kind === LOWER_G) {
      globals = applyRecords(globals, decodePax(bytes, at, UNWANTED_KEYS), at);
      if (overridesBytes(globals) > limits.globalBytes) throw tarLimit('global PAX records too long', at);
      plain = { overrides: globals, longName: undefined, longLink: undefined, sparse: undefined };
    } else {
      records = decodePax(bytes, at, UNWANTED_KEYS);
      recordsAt = at;
    }
  }

  return {
    get pending() {
      return records !== undefined || longName !== undefined || longLink !== undefined;
    },

    begin(typeflag, bodySize, offset) {
      const isName = typeflag === UPPER_L || typeflag === UPPER_K;
      // A GNU name is stored with a NUL behind it.
      if (isName && bodySize > limits.nameBytes + 1) throw tarLimit('a GNU long name too long', offset);
      if (!isName && bodySize > limits.paxBytes) throw tarLimit('a PAX header too long', offset);
      [kind, size, have, at] = [typeflag, bodySize, 0, offset];
      if (size > 0) return false;
      finish();
      return true;
    },

    block(bytes) {
      if (have + bytes.length > body.length) {
        const grown = Buffer.alloc(body.length * 2);
        body.copy(grown, 0, 0, have);
        body = grown;
      }
      // Whole blocks, padding too; the body is cut to its size when it is complete.
      body.set(bytes, have);
      have += bytes.length;
      if (have < size) return false;
      finish();
      return true;
    },

    take() {
      if (records === undefined && longName === undefined && longLink === undefined) return plain;
      const local = records;
      const extras: Extras = {
        overrides: local ? applyRecords(globals, local, recordsAt) : globals,
        longName,
        longLink,
        sparse: local && readPaxSparse(local, limits.sparseEntries, recordsAt),
      };
      records = undefined;
      longName = undefined;
      longLink = undefined;
      return extras;
    },
  };
}
