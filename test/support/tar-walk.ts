/** Walks tars in tests, and reads what real programs made of them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ByteString } from '../../src/bytes.js';
import type { TarLimits } from '../../src/tar/limits.js';
import { createTarWalker } from '../../src/tar/walk.js';
import { type Entry, extentsOf } from '../../src/tree/entry.js';

export interface WalkOptions {
  /** Sizes of the chunks, used in turn; default: one chunk. */
  chunks?: readonly number[];
  limits?: Partial<TarLimits>;
}

export function walkTar(tar: Uint8Array, { chunks = [tar.length], limits }: WalkOptions = {}): Entry[] {
  const entries: Entry[] = [];
  const walker = createTarWalker({ entry: (entry) => entries.push(entry) }, limits);
  for (let at = 0, i = 0; at < tar.length; i++) {
    const length = Math.max(1, chunks[i % chunks.length]!);
    walker.push(tar.subarray(at, at + length));
    at += length;
  }
  walker.end();
  return entries;
}

/** A file's logical bytes, read from the tar by the entry's extents. */
export function readEntry(tar: Buffer, entry: Entry): Buffer {
  const bytes = Buffer.alloc(entry.size);
  for (const { logical, offset, length } of extentsOf(entry)) {
    if (offset + length > tar.length) throw new Error('an extent leaves the tar');
    tar.copy(bytes, logical, offset, offset + length);
  }
  return bytes;
}

/** A fresh directory that is removed after the test. */
export function testDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'clip-tar-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Skips the test, visibly, where the program is not installed. */
export function needs(t: TestContext, program: string): boolean {
  const found = spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
  if (!found) t.skip(`needs ${program}`);
  return found;
}

export function needsRoot(t: TestContext): boolean {
  const root = process.getuid?.() === 0;
  if (!root) t.skip('needs root');
  return root;
}

export interface DiskNode {
  path: ByteString;
  type: string;
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  size: number;
  link: ByteString;
  rdev: number;
  inode: bigint;
  data: Buffer;
}

/** All that is below `root`, by path; names are bytes. */
export function readTree(root: string): Map<string, DiskNode> {
  const nodes = new Map<string, DiskNode>();
  const visit = (path: string) => {
    const full = Buffer.from(path === '' ? root : `${root}/${path}`, 'latin1');
    const stat = lstatSync(full, { bigint: true });
    const type = stat.isFile()
      ? 'file'
      : stat.isDirectory()
        ? 'directory'
        : stat.isSymbolicLink()
          ? 'symlink'
          : stat.isFIFO()
            ? 'fifo'
            : stat.isBlockDevice()
              ? 'block'
              : 'char';
    nodes.set(path, {
      path: path as ByteString,
      type,
      mode: Number(stat.mode & 0o7777n),
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      mtimeNs: stat.mtimeNs,
      size: type === 'file' ? Number(stat.size) : 0,
      link: (type === 'symlink' ? readlinkSync(full, 'latin1') : '') as ByteString,
      rdev: Number(stat.rdev),
      inode: stat.ino,
      data: type === 'file' ? readFileSync(full) : Buffer.alloc(0),
    });
    if (type !== 'directory') return;
    for (const name of readdirSync(full, 'latin1').sort()) visit(path === '' ? name : `${path}/${name}`);
  };
  visit('');
  return nodes;
}

/** The xattrs of one file as hex, by name, read by getfattr. */
export function readXattrs(path: string): Record<string, string> {
  const text = execFileSync('getfattr', ['-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names', path], {
    encoding: 'latin1',
  });
  const xattrs: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = /^([^#=]+)(?:=0x(.*))?$/.exec(line);
    if (match) xattrs[match[1]!] = match[2] ?? '';
  }
  return xattrs;
}
