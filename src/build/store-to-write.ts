import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isClipError } from '../errors.js';
import type { Observer } from '../observer.js';
import { type IndexStore, openIndexStore } from './store.js';
import { writeFileWhole } from './write-file.js';

/** An index takes this much and more. */
const PROBE_BYTES = 64 << 10;

export interface StoreToWrite {
  store: IndexStore;
  /** Set where what is written is not kept: takes it away again. Never throws. */
  discard?: () => Promise<void>;
}

/**
 * The store of a cache folder; where it is full, read-only or forbidden one in the folder for temporary files, after a warning: an index
 * that cannot be kept can still be used. Throws what writing the store threw where nothing can be written there either.
 */
export async function storeToWrite(cacheDir: string, observer: Observer): Promise<StoreToWrite> {
  const probe = join(cacheDir, 'index', `.probe-${process.pid}`);
  try {
    await writeFileWhole(probe, [new Uint8Array(PROBE_BYTES)]);
    await rm(probe, { force: true });
    return { store: openIndexStore(cacheDir) };
  } catch (error) {
    if (!isClipError(error)) throw error;
    const folder = await mkdtemp(join(tmpdir(), 'clip-index-')).catch(() => undefined);
    if (folder === undefined) throw error;
    observer.emit({
      type: 'warning',
      code: error.code,
      message: `the index is built and not kept: ${error.message}`,
      hint: 'free space or make the folder writable, or choose another with --cache-dir',
    });
    const discard = () => rm(folder, { recursive: true, force: true }).catch(() => {});
    return { store: openIndexStore(folder), discard };
  }
}
