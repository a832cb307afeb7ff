import { existsSync, rmSync } from 'node:fs';
import { hasItsDigest } from '../../cache/disk-maintenance.js';
import { ClipError } from '../../errors.js';
import type { Observer } from '../../observer.js';
import { twice } from '../mend.js';
import type { ImageSource } from '../source.js';
import { keyOfSpooled } from './spool.js';

export interface CopyOptions {
  /** What it is a copy of. */
  what: string;
  path: string;
  open(path: string): Promise<ImageSource>;
  /** Makes the copy anew; its path. Absent where what it was made of came through a pipe. */
  again?: (() => Promise<string>) | undefined;
  observer?: Observer | undefined;
}

const PIPE_AGAIN =
  'name the image with --source, or pipe the archive in again: --source docker-archive:- (oci-archive:-, tar:-)';

/** A copy that goes as often before it is opened is not made again. */
const ATTEMPTS = 3;

/**
 * Opens a spooled copy as a source that can be mended. To hash a copy at each read would take as long as to make it; so it is hashed when
 * what was read of it does not hold, and goes where it is not what its name says.
 */
export async function openCopySource(options: CopyOptions): Promise<ImageSource> {
  const { what, again, observer } = options;
  let { path } = options;
  let inner: ImageSource | undefined;
  let mending: Promise<boolean> | undefined;
  const retired: ImageSource[] = [];

  async function mend(): Promise<boolean> {
    // One that is gone from its place was dropped for the same reason, or to make room: what is open is no better for it.
    if ((await hasItsDigest({ key: keyOfSpooled(path), path })) === true) return false;
    rmSync(path, { force: true });
    const message = `the copy of ${what} in the cache was damaged`;
    if (!again) {
      throw new ClipError('DIGEST_MISMATCH', `${message}; it is removed`, {
        hint: PIPE_AGAIN,
      });
    }
    observer?.emit({ type: 'warning', code: 'DIGEST_MISMATCH', message: `${message}: it is made again` });
    path = await again();
    const fresh = await options.open(path);
    if (inner) retired.push(inner);
    inner = fresh;
    return true;
  }

  /** Who began to read before it was mended may find out afterwards. */
  function mendOnce(): Promise<boolean> {
    mending ??= mend();
    return mending;
  }

  const mended = <T>(act: () => Promise<T>) => twice(act, mendOnce);
  const source = async () => {
    inner ??= await openCopy();
    return inner;
  };

  /** Somebody may empty the cache meanwhile: what is gone is made again, where it can be. */
  async function openCopy(): Promise<ImageSource> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await options.open(path);
      } catch (error) {
        if (existsSync(path)) throw error;
        if (!again || attempt === ATTEMPTS) throw gone(what);
        path = await again();
      }
    }
  }

  const { name, hint } = await mended(source);
  return {
    name,
    hint,
    manifest: (...asked) => mended(async () => (await source()).manifest(...asked)),
    blob: (...asked) => inner!.blob(...asked),
    range: (...asked) => inner!.range(...asked),
    mend: mendOnce,
    async close() {
      for (const opened of [...retired, inner]) await opened?.close();
    },
  };
}

function gone(what: string): ClipError {
  return new ClipError('NOT_FOUND', `the copy of ${what} in the cache is gone: something emptied it`, {
    hint: PIPE_AGAIN,
  });
}
