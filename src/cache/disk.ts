import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { textToByteString } from '../bytes.js';
import { errnoOf, isDiskFull } from '../errno.js';
import { escapeName } from '../escape.js';
import type { Observer } from '../observer.js';
import { createClaims } from './claims.js';
import {
  entryPath,
  isRemoved,
  removeStaleTemporaries,
  spansFolder,
  spansStore,
  writeWhole,
} from './disk-files.js';
import { createDiskUsage, LOW_WATER } from './disk-usage.js';
import { WITHOUT_WAITING } from './open-flags.js';
import { type CacheTier, isKey } from './tier.js';
import { touch } from './touch.js';

export interface DiskTierOptions {
  /** The tier lives in `<cacheDir>/spans`. */
  cacheDir: string;
  /** Bytes; the tier may exceed them for a moment by what the processes wrote since they last counted. */
  quota: number;
  observer: Observer;
}

/** So many entries in a row that cannot be read are not the entries' fault. */
const FAILED_READS = 3;

/** Errors of one moment or one entry; anything else that a write meets will meet the next one too. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'EINTR', 'EAGAIN', 'EBUSY', 'ENOENT', 'EEXIST', 'EISDIR']);

/**
 * The disk tier: one file per value, shared by all processes of a machine. A disk that is full, read-only or forbidden is said
 * once and not written to again in this run; what it holds already is still read.
 *
 * Calls are synchronous on purpose: a warm 1 MiB entry costs 180 µs so, 260 µs through the thread pool (writes 480 µs against
 * 1,500 µs), and the digest that must follow costs 600 µs on this thread anyway.
 */
export function createDiskTier(options: DiskTierOptions): CacheTier & { readonly name: 'disk' } {
  const { quota, observer } = options;
  const spans = spansFolder(options.cacheDir);
  const usage = createDiskUsage(spansStore(options.cacheDir), quota, observer);
  const claims = createClaims(spans);
  let reading = true;
  let failedReads = 0;
  let writing = quota > 0;
  let swept = false;
  let warned = false;
  /** Entries that did not hold and that this process may not remove: read once, told once. */
  const bad = new Set<string>();

  function warn(action: 'read' | 'written', error: unknown): void {
    if (warned) return;
    warned = true;
    const reason = escapeName(textToByteString(error instanceof Error ? error.message : String(error)));
    observer.emit({
      type: 'warning',
      code: isDiskFull(error) ? 'NO_SPACE' : 'IO',
      message: `the disk cache cannot be ${action}, going on without it: ${reason}`,
      hint: 'free space or make the folder writable, or choose another with --cache-dir',
    });
  }

  return {
    name: 'disk',
    claims,
    get(key, length) {
      if (!reading || !isKey(key) || bad.has(key)) return undefined;
      try {
        const value = readEntry(entryPath(spans, key), length);
        failedReads = 0;
        return value;
      } catch (error) {
        const code = errnoOf(error) ?? '';
        // A link that leads round in a circle is no entry, and gives way to one.
        if (code === 'ELOOP') return NOT_IT;
        if (!PASSING.has(code) && ++failedReads >= FAILED_READS) {
          reading = false;
          warn('read', error);
        }
        return undefined;
      }
    },
    put(key, value) {
      if (!writing || !isKey(key) || value.byteLength > quota * LOW_WATER) return;
      const path = entryPath(spans, key);
      try {
        if (statSync(path, { throwIfNoEntry: false })?.size === value.byteLength) return;
        if (!swept) {
          swept = true;
          removeStaleTemporaries(spans);
        }
        writeWhole(spans, path, value);
        usage.add(value.byteLength);
      } catch (error) {
        if (PASSING.has(errnoOf(error) ?? '')) return;
        writing = false;
        warn('written', error);
      }
    },
    drop(key) {
      if (isKey(key) && !isRemoved(entryPath(spans, key))) bad.add(key);
    },
    contains(key, length) {
      try {
        if (!reading || !isKey(key) || bad.has(key)) return false;
        return statSync(entryPath(spans, key), { throwIfNoEntry: false })?.size === length;
      } catch {
        return false;
      }
    },
    takes: () => writing,
    canHold(bytes) {
      return writing && reading && bytes <= quota * LOW_WATER;
    },
    async close() {
      usage.flush();
      claims.close();
    },
  };
}

/** Of a file that is not as long as its entry nothing is read: no bytes are nobody's digest, so that it is told as corrupt. */
const NOT_IT = new Uint8Array(0);

/** The entry, or undefined when there is none. Marks it as used. */
function readEntry(path: string, length: number): Uint8Array | undefined {
  // A stat that finds nothing costs 1 µs, an open that throws ENOENT 8 µs; and the size is known before memory is taken for it.
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) return undefined;
  if (stat.size !== length) return NOT_IT;
  const fd = openSync(path, WITHOUT_WAITING);
  try {
    const bytes = Buffer.allocUnsafeSlow(length);
    let done = 0;
    while (done < length) {
      const got = readSync(fd, bytes, done, length - done, done);
      if (got === 0) return NOT_IT;
      done += got;
    }
    touch(fd, stat.mtimeMs);
    return new Uint8Array(bytes.buffer);
  } finally {
    closeSync(fd);
  }
}
