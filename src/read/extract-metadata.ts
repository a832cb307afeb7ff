import fs from 'node:fs';
import type { Entry } from '../tree/entry.js';
import type { LostLinks } from './lost-links.js';

/** What an extraction could not carry over, by count. */
export interface NotCarried extends LostLinks {
  devices: number;
  fifos: number;
  /** Names with extended attributes. */
  xattrs: number;
  /** Names whose owner could not be set. */
  owners: number;
  /** Files that lost setuid or setgid because they belong to somebody else now. */
  setids: number;
}

export interface Metadata {
  /** Owner, mode and time of an open file or directory that was made or found by us. */
  apply(file: number, entry: Entry): void;
  /** Owner and time of a symbolic link. */
  applyToLink(path: Buffer, entry: Entry): void;
}

/** Ownership is carried over by root only, as by every unpacker. */
export function createMetadata(notCarried: NotCarried): Metadata {
  const uid = process.getuid?.() ?? -1;
  const gid = process.getgid?.() ?? -1;

  /** True if the thing now belongs to the entry's owner. */
  function own(entry: Entry, chown: () => void): boolean {
    if (uid === 0) {
      try {
        chown();
        return true;
      } catch {
        // Root of a user namespace may not know the owner.
        notCarried.owners++;
        return false;
      }
    }
    const same = entry.uid === uid && entry.gid === gid;
    if (!same) notCarried.owners++;
    return same;
  }

  return {
    apply(file, entry) {
      const owned = own(entry, () => fs.fchownSync(file, entry.uid, entry.gid));
      // After chown(2), which clears them; and setuid of another owner than the image's would be a trap.
      const isDirectory = entry.type === 'directory';
      const mode = owned || isDirectory ? entry.mode : entry.mode & ~0o6000;
      if (mode !== entry.mode) notCarried.setids++;
      fs.fchmodSync(file, mode);
      const time = unixTime(entry);
      fs.futimesSync(file, time, time);
    },
    applyToLink(path, entry) {
      own(entry, () => fs.lchownSync(path, entry.uid, entry.gid));
      const time = unixTime(entry);
      fs.lutimesSync(path, time, time);
    },
  };
}

/** libuv cuts times to whole microseconds, towards zero, up to 1.51 at least; that of Node 26 keeps what the double says. */
const CUTS = Number(process.versions.uv.split('.')[1]) < 52;

/**
 * Seconds with a fraction, as text: Node takes a negative number for 'now', but not a negative text. A double seldom is a whole number
 * of microseconds, and must not come to the one before (until 2106, when its steps become as wide as a microsecond).
 */
function unixTime({ mtime, mtimeNanos }: Entry): string {
  const micros = Math.floor(mtimeNanos / 1000);
  if (micros === 0) return String(mtime);
  const nearest = mtime + micros / 1e6;
  if (CUTS) return String(nearest < 0 ? nearest - 5e-7 : nearest + 5e-7);
  // As libuv counts: from the whole second that is nearer to zero.
  const [base, wanted] = mtime < 0 ? [mtime + 1, micros - 1e6] : [mtime, micros];
  const step = 2 ** (Math.floor(Math.log2(Math.abs(nearest))) - 52);
  return String((nearest - base) * 1e9 < wanted * 1000 ? nearest + step : nearest);
}
