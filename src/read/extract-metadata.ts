import type { FileHandle } from 'node:fs/promises';
import fs from 'node:fs/promises';
import type { Entry } from '../tree/entry.js';

/** What an extraction could not carry over, by count. */
export interface NotCarried {
  devices: number;
  fifos: number;
  /** Hard links to nothing in the image. */
  brokenLinks: number;
  /** Names with extended attributes. */
  xattrs: number;
  /** Names whose owner could not be set. */
  owners: number;
  /** Files that lost setuid or setgid because they belong to somebody else now. */
  setids: number;
}

export interface Metadata {
  /** Owner, mode and time of an open file or directory that was made or found by us. */
  apply(handle: FileHandle, entry: Entry): Promise<void>;
  /** Owner and time of a symbolic link. */
  applyToLink(path: Buffer, entry: Entry): Promise<void>;
}

/** Ownership is carried over by root only, as by every unpacker. */
export function createMetadata(notCarried: NotCarried): Metadata {
  const uid = process.getuid?.() ?? -1;
  const gid = process.getgid?.() ?? -1;

  /** True if the thing now belongs to the entry's owner. */
  async function own(entry: Entry, chown: () => Promise<void>): Promise<boolean> {
    if (entry.xattrs.length > 0) notCarried.xattrs++;
    if (uid === 0) {
      try {
        await chown();
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
    async apply(handle, entry) {
      const owned = await own(entry, () => handle.chown(entry.uid, entry.gid));
      // After chown(2), which clears them; and setuid of another owner than the image's would be a trap.
      const isDirectory = entry.type === 'directory';
      const mode = owned || isDirectory ? entry.mode : entry.mode & ~0o6000;
      if (mode !== entry.mode) notCarried.setids++;
      await handle.chmod(mode);
      const time = unixTime(entry);
      await handle.utimes(time, time);
    },
    async applyToLink(path, entry) {
      await own(entry, () => fs.lchown(path, entry.uid, entry.gid));
      const time = unixTime(entry);
      await fs.lutimes(path, time, time);
    },
  };
}

/**
 * Seconds with a fraction, as text: Node takes a negative number for 'now', but not a negative text. A double carries about
 * 200 ns at today's times.
 */
function unixTime(entry: Entry): string {
  return String(entry.mtime + entry.mtimeNanos / 1e9);
}
