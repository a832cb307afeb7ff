/**
 * The merge as a plain simulation of a file system: a map from every path to its inode, scanned whole for every removal.
 * Slow and obvious; src/tree/merge.ts must agree with it.
 */
import type { ByteString } from '../../src/bytes.js';
import { comparePaths, type Entry } from '../../src/tree/entry.js';
import type { EntryRef, MergedNode } from '../../src/tree/merged-node.js';

interface Inode {
  type: Entry['type'];
  ref: EntryRef | undefined;
  link: string;
}

interface Name {
  inode: Inode | 'pending' | 'lost';
  ref: EntryRef | undefined;
}

const directory = (ref: EntryRef | undefined): Inode => ({ type: 'directory', ref, link: '' });

export function naiveMerge(layers: readonly (readonly Entry[])[]): MergedNode[] {
  const names = new Map<string, Name>([['', { inode: directory(undefined), ref: undefined }]]);
  layers.forEach((entries, layer) => {
    applyLayer(names, entries, layer);
  });
  const nodes = [...names].map(([path, name]): MergedNode => {
    const inode = typeof name.inode === 'string' ? undefined : name.inode;
    const sharing = [...names.values()].filter((other) => inode && other.inode === inode).length;
    const isOwn = !inode || inode.type === 'directory' || sameRef(inode.ref, name.ref);
    return {
      path: path as ByteString,
      ref: name.ref,
      target: isOwn ? undefined : inode.ref,
      nlink: Math.max(sharing, 1),
    };
  });
  return nodes.sort((a, b) => comparePaths(a.path, b.path));
}

function sameRef(a: EntryRef | undefined, b: EntryRef | undefined): boolean {
  return a?.layer === b?.layer && a?.entry === b?.entry;
}

function applyLayer(names: Map<string, Name>, entries: readonly Entry[], layer: number): void {
  /** Paths that this layer made, and their ancestors. */
  const upper = new Set<string>(['']);
  const aside = new Map<string, Inode>();
  const pending: { name: Name; link: string }[] = [];

  const typeAt = (path: string) => {
    const inode = names.get(path)?.inode;
    return typeof inode === 'object' ? inode.type : inode;
  };
  const remove = (path: string) => {
    for (const other of [...names.keys()]) {
      if (other === path || other.startsWith(`${path}/`)) {
        names.delete(other);
        upper.delete(other);
      }
    }
  };
  const put = (path: string, name: Name) => {
    const isDirectory = typeof name.inode === 'object' && name.inode.type === 'directory';
    if (!(isDirectory && typeAt(path) === 'directory')) remove(path);
    names.set(path, name);
    for (let at = path; at !== ''; at = parentOf(at)) upper.add(at);
  };
  /** The real path of a directory path; undefined for a loop. */
  const resolve = (path: string): string | undefined => {
    const todo = path.split('/');
    let at: string[] = [];
    let links = 0;
    while (todo.length > 0) {
      const part = todo.shift()!;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        at.pop();
        continue;
      }
      const next = [...at, part].join('/');
      if (typeAt(next) === 'symlink') {
        if (++links > 255) return undefined;
        const target = (names.get(next)!.inode as Inode).link;
        todo.unshift(...target.split('/'));
        if (target.startsWith('/')) at = [];
      } else {
        at.push(part);
      }
    }
    return at.join('/');
  };
  const makeDirectory = (path: string) => {
    const parts = path === '' ? [] : path.split('/');
    for (let i = 1; i <= parts.length; i++) {
      const at = parts.slice(0, i).join('/');
      if (typeAt(at) !== 'directory') put(at, { inode: directory(undefined), ref: undefined });
    }
  };
  const makeParent = (path: string): string => {
    for (;;) {
      const real = resolve(path);
      if (real !== undefined) {
        makeDirectory(real);
        return real;
      }
      const parts = path.split('/');
      const link = parts
        .map((_, i) => parts.slice(0, i + 1).join('/'))
        .find((at) => typeAt(at) === 'symlink')!;
      put(link, { inode: directory(undefined), ref: undefined });
    }
  };
  const hideBelow = (path: string) => {
    for (const other of [...names.keys()]) {
      const isBelow = path === '' ? other !== '' : other.startsWith(`${path}/`);
      if (!isBelow || !names.has(other)) continue;
      if (!upper.has(other)) remove(other);
      else disown(other);
    }
  };
  const disown = (path: string) => {
    const name = names.get(path)!;
    if (typeAt(path) === 'directory' && name.ref?.layer !== layer) name.ref = undefined;
  };
  const targetOf = (link: string): Inode | Name | undefined => {
    const real = resolve(parentOf(link));
    if (real === undefined || link === '') return undefined;
    const name = names.get(join(real, baseOf(link)));
    if (!name || name.inode === 'lost') return undefined;
    if (name.inode === 'pending') return name;
    return name.inode.type === 'directory' ? undefined : name.inode;
  };

  const inOrder = entries.map((entry, ordinal) => ({ entry, ref: { layer, entry: ordinal } }));
  inOrder.sort((a, b) => a.entry.position - b.entry.position);
  for (const { entry, ref } of inOrder) {
    const { path, type, link } = entry;
    const base = baseOf(path);
    if (path === '') {
      if (type === 'directory') names.get('')!.ref = ref;
      continue;
    }
    const parts = path.split('/');
    if (
      parts.some(
        (part, i) => part.startsWith('.wh..wh.') && (part !== '.wh..wh..opq' || i < parts.length - 1),
      )
    ) {
      if (type === 'file') aside.set(path, { type, ref, link });
      continue;
    }
    if (base.startsWith('.wh.')) {
      const parent = resolve(parentOf(path));
      const hidden = base.slice(4);
      if (parent === undefined || typeAt(parent) !== 'directory') continue;
      if (base === '.wh..wh..opq') hideBelow(parent);
      else if (hidden !== '' && hidden !== '.' && hidden !== '..') {
        const target = join(parent, hidden);
        if (!names.has(target)) continue;
        if (!upper.has(target)) remove(target);
        else {
          disown(target);
          hideBelow(target);
        }
      }
      continue;
    }
    const target = type === 'hardlink' ? (aside.get(link) ?? targetOf(link)) : undefined;
    const parent = makeParent(parentOf(path));
    const name: Name = { inode: { type, ref, link }, ref };
    if (type === 'directory') {
      name.inode = directory(ref);
    } else if (type === 'hardlink') {
      name.inode = target && 'type' in target ? target : 'pending';
      if (name.inode === 'pending') pending.push({ name, link });
    }
    put(join(parent, base), name);
  }

  const settle = (name: Name): Inode | undefined => {
    if (typeof name.inode === 'object') return name.inode;
    if (name.inode === 'lost') return undefined;
    name.inode = 'lost';
    const target = targetOf(pending.find((one) => one.name === name)!.link);
    const inode = target && 'inode' in target ? settle(target) : target;
    if (inode) name.inode = inode;
    return inode;
  };
  const present = new Set(names.values());
  for (const { name } of pending) if (present.has(name)) settle(name);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function join(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`;
}
