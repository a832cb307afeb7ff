import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { type ByteString, textToByteString } from '../../src/bytes.js';
import { comparePaths, type Entry, type EntryType } from '../../src/tree/entry.js';

/** Entries as a tar of this machine's directory would give them, positions in `readdir` order or in sorted order. */
export function entriesOf(
  directory: string,
  { limit, order }: { limit: number; order: 'sorted' | 'readdir' },
) {
  const entries: Entry[] = [];
  let position = 512;
  const add = (absolute: string, path: string, stats: Stats): void => {
    const type = typeOf(stats);
    const size = type === 'file' ? stats.size : 0;
    entries.push({
      path: textToByteString(path),
      type,
      mode: stats.mode & 0o7777,
      uid: stats.uid,
      gid: stats.gid,
      uname: 'root' as ByteString,
      gname: 'root' as ByteString,
      mtime: Math.floor(stats.mtimeMs / 1000),
      mtimeNanos: 0,
      size,
      link: textToByteString(type === 'symlink' ? readlinkSync(absolute) : ''),
      devMajor: 0,
      devMinor: 0,
      xattrs: [],
      position,
    });
    position += 512 + Math.ceil(size / 512) * 512;
  };
  const visit = (absolute: string, path: string): void => {
    const names = readdirSync(absolute);
    if (order === 'readdir') shuffle(names);
    else names.sort(comparePaths);
    for (const name of names) {
      if (entries.length >= limit) return;
      const child = join(absolute, name);
      const stats = lstatSync(child);
      if (stats.isSocket()) continue;
      add(child, `${path}/${name}`, stats);
      if (stats.isDirectory()) visit(child, `${path}/${name}`);
    }
  };
  add(directory, 'usr', lstatSync(directory));
  visit(directory, 'usr');
  const uncompressedSize = position + 1024;
  entries.sort((a, b) => comparePaths(a.path, b.path));
  return { entries, uncompressedSize };
}

/** A fixed shuffle, as bad as any file system's order. */
function shuffle(names: string[]): void {
  let state = 1;
  for (let i = names.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = state % (i + 1);
    [names[i], names[j]] = [names[j]!, names[i]!];
  }
}

function typeOf(stats: Stats): EntryType {
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  return 'file';
}
