/** umoci as the oracle of merges: unpacks hand-made layers, and lists what came out beside what clip's merge says. */
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, type Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry } from '../../src/tree/entry.js';
import type { MergedNode } from '../../src/tree/merged-node.js';
import { tarOf, writeLayout } from './layout-builder.js';

/** umoci must be there and run as root, or it does not keep modes and owners. */
export function hasUmoci(): boolean {
  return spawnSync('umoci', ['--version']).status === 0 && process.getuid?.() === 0;
}

/**
 * One line a name on both sides: type, mode, mtime, owner, what it holds, and the names that share its inode. Times of
 * directories are left out where umoci left the time of its own work, and so are the attributes of directories that no layer
 * names, which the spec does not give.
 */
export type Comparison = { clip: string[]; umoci: string[] } | { refused: string };

type Layers = readonly (readonly Entry[])[];

interface Name {
  path: string;
  /** Same for names of one inode. */
  inode: string;
  type: string;
  mode: number;
  mtime: number;
  owner: string;
  data: string;
}

export function compareWithUmoci(layers: Layers, nodes: readonly MergedNode[]): Comparison {
  const directory = mkdtempSync(join(tmpdir(), 'clip-umoci-'));
  try {
    const started = Math.floor(Date.now() / 1000) - 1;
    const layout = join(directory, 'image');
    writeLayout(
      layout,
      layers.map((entries, i) => tarOf(entries, (entry) => contentOf(i, entry))),
    );
    const root = join(directory, 'root');
    const run = spawnSync('umoci', ['raw', 'unpack', '--image', `${layout}:latest`, root], {
      encoding: 'utf8',
    });
    if (run.status !== 0) return { refused: run.stderr };
    const unpacked = [...collect(root, '')];
    const unnamed = new Set(nodes.filter((node) => !node.ref).map((node) => node.path as string));
    const disturbed = new Set(unpacked.filter(({ mtime }) => mtime >= started).map(({ path }) => path));
    const options = { unnamed, disturbed };
    return { clip: listOf(merged(layers, nodes), options), umoci: listOf(unpacked, options) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const contentOf = (layer: number, entry: Entry) => `layer ${layer}, position ${entry.position}`;

function* collect(root: string, path: string): Iterable<Name> {
  const full = join(root, path);
  const stat = lstatSync(full);
  const type = typeOf(stat);
  const data = type === 'symlink' ? readlinkSync(full) : type === 'file' ? readFileSync(full, 'utf8') : '';
  const mtime = Math.floor(stat.mtimeMs / 1000);
  const owner = `${stat.uid}:${stat.gid}`;
  yield { path, inode: String(stat.ino), type, mode: stat.mode & 0o7777, mtime, owner, data };
  if (type !== 'directory') return;
  for (const name of readdirSync(full)) yield* collect(root, path === '' ? name : `${path}/${name}`);
}

function typeOf(stat: Stats): string {
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  return stat.isFIFO() ? 'fifo' : 'file';
}

function merged(layers: Layers, nodes: readonly MergedNode[]): Name[] {
  return nodes.map((node) => {
    const { path } = node;
    const ref = node.target ?? node.ref;
    if (!ref) return { path, inode: path, type: 'directory', mode: 0, mtime: 0, owner: '', data: '' };
    const entry = layers[ref.layer]![ref.entry]!;
    const { type, mode, mtime, uid, gid } = entry;
    const data = type === 'symlink' ? entry.link : type === 'file' ? contentOf(ref.layer, entry) : '';
    const inode = node.nlink > 1 ? `${ref.layer}:${ref.entry}` : `/${path}`;
    return {
      path,
      inode,
      type,
      mode: type === 'symlink' ? 0o777 : mode,
      mtime,
      owner: `${uid}:${gid}`,
      data,
    };
  });
}

function listOf(
  names: readonly Name[],
  options: { unnamed: ReadonlySet<string>; disturbed: ReadonlySet<string> },
): string[] {
  const sharing = new Map<string, string[]>();
  for (const { path, inode } of names) sharing.set(inode, [...(sharing.get(inode) ?? []), path]);
  const lines = names.map(({ path, inode, type, mode, mtime, owner, data }) => {
    if (type === 'directory' && options.unnamed.has(path)) return `${path}: directory`;
    const time = type === 'directory' && options.disturbed.has(path) ? '-' : mtime;
    const links = sharing.get(inode)!.sort().join(' ');
    return `${path}: ${type} ${mode.toString(8)} ${time} ${owner} ${JSON.stringify(data)} = ${links}`;
  });
  return lines.sort();
}
