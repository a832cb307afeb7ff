import type { ByteString } from '../../src/bytes.js';
import { comparePaths, type Entry } from '../../src/tree/entry.js';

export type EntryParts = Partial<Omit<Entry, 'path' | 'link'>> & { path: string; link?: string };

/** An entry with plain values for all that is not given. */
export function entryOf(parts: EntryParts): Entry {
  const none = '' as ByteString;
  return {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: none,
    gname: none,
    mtime: 0,
    mtimeNanos: 0,
    size: 0,
    devMajor: 0,
    devMinor: 0,
    xattrs: [],
    position: 0,
    ...parts,
    path: parts.path as ByteString,
    link: (parts.link ?? '') as ByteString,
  };
}

/** A layer as the walk and the index hand it on: positions in the order given, sorted by (path, position). */
export function layerOf(entries: readonly EntryParts[]): Entry[] {
  return entries
    .map((parts, i) => entryOf({ ...parts, position: (i + 1) * 512 }))
    .sort((a, b) => comparePaths(a.path, b.path) || a.position - b.position);
}

/**
 * An entry in one line, for tests that show a layer: `d/` is a directory, `l -> t` a symlink, `l => t` a hard link, `f` a file.
 */
export function entryFrom(line: string): EntryParts {
  const [path = '', link] = line.split(/ [-=]> /);
  if (line.includes(' -> ')) return { path, type: 'symlink', link: link! };
  if (line.includes(' => ')) return { path, type: 'hardlink', link: link! };
  if (path === '/') return { path: '', type: 'directory', mode: 0o755 };
  if (path.endsWith('/')) return { path: path.slice(0, -1), type: 'directory', mode: 0o755 };
  return { path, type: 'file' };
}
