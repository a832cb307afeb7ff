/**
 * Writes a selection of an image's tree into a folder. The order is what makes it quick and safe:
 *
 * 1. directories, so that every parent is a real one, made or looked at by us;
 * 2. regular files in the order of their data in the layers, so that each span is inflated once, neighbours sharing it;
 * 3. hard links, then symbolic links: while anything is written through a path, the image's links do not exist yet;
 * 4. modes and times of the directories, deepest first, since writing into them changes their times and may be forbidden.
 */

import fs, { constants } from 'node:fs';
import { byteStringToBytes } from '../bytes.js';
import { makeFolder } from '../cache/make-folder.js';
import { ClipError } from '../errors.js';
import { escapeText } from '../escape.js';
import type { Observer } from '../observer.js';
import { type Entry, extentsOf } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import { fsError } from './extract-errors.js';
import { createFileWriter } from './extract-files.js';
import { createMetadata, type Metadata, type NotCarried } from './extract-metadata.js';
import { createPlacer, type Placer } from './extract-place.js';
import { lostLink } from './lost-links.js';
import type { ImageReader } from './reader.js';
import { breath } from './turns.js';

export interface ExtractOptions {
  /** Made if it is missing; a link to a folder is resolved, once. */
  directory: string;
  reader: Pick<ImageReader, 'readFiles'>;
  observer: Observer;
  signal?: AbortSignal;
}

export interface ExtractSummary {
  files: number;
  directories: number;
  /** Symbolic links. */
  links: number;
  hardLinks: number;
  /** Logical bytes of the files. */
  bytes: number;
  notCarried: NotCarried;
}

interface Work {
  placer: Placer;
  metadata: Metadata;
  summary: ExtractSummary;
  options: ExtractOptions;
  /** Directories that were there before. */
  kept: Set<Node>;
}

/**
 * Extracts `nodes`, each to its path in the tree. Parents that are not among them are made with default modes. Throws ClipError
 * IO, NO_SPACE, UNSAFE_PATH, what reading throws, and the signal's reason; no half-written file is left behind.
 */
export async function extract(nodes: readonly Node[], options: ExtractOptions): Promise<ExtractSummary> {
  const notCarried: NotCarried = {
    devices: 0,
    fifos: 0,
    brokenLinks: 0,
    impossibleLinks: 0,
    xattrs: 0,
    owners: 0,
    setids: 0,
  };
  const summary: ExtractSummary = { files: 0, directories: 0, links: 0, hardLinks: 0, bytes: 0, notCarried };
  const root = prepareRoot(options.directory);
  const placer = createPlacer(root.path);
  const work: Work = { placer, metadata: createMetadata(notCarried), summary, options, kept: new Set() };
  const directories = nodes.filter((node) => node.entry.type === 'directory');
  for (const node of directories) await inTurn(work, () => makeDirectory(node, work));
  const files = splitHardLinks(nodes, 'file');
  await writeFiles(inDataOrder(files.firsts), work);
  for (const [first, node] of files.others) await inTurn(work, () => makeHardLink(first, node, work));
  const links = splitHardLinks(nodes, 'symlink');
  for (const node of links.firsts) await inTurn(work, () => makeLink(node, work));
  for (const [first, node] of links.others) {
    // Elsewhere link(2) follows a symbolic link, and out of the folder.
    const make =
      process.platform === 'linux' ? () => makeHardLink(first, node, work) : () => makeLink(node, work);
    await inTurn(work, make);
  }
  for (const { entry } of nodes) countLost(entry, notCarried);
  for (const node of directories.reverse()) {
    // A folder in use, /tmp for one, is not the image's root.
    if (node.path !== '' || root.fresh) await inTurn(work, () => finishDirectory(node, work));
  }
  return summary;
}

/** One of many short pieces of work that block; between them signals are heard and what was fetched is taken in. */
async function inTurn({ options }: Work, piece: () => void): Promise<void> {
  const pause = breath();
  if (pause) await pause;
  options.signal?.throwIfAborted();
  piece();
}

/** The folder by its real path; `fresh` if nothing is in it. */
function prepareRoot(directory: string): { path: Buffer; fresh: boolean } {
  const path = Buffer.from(directory);
  try {
    makeFolder(directory);
    const real = fs.realpathSync.native(path, { encoding: 'buffer' });
    const entries = fs.opendirSync(real as unknown as string);
    const first = entries.readSync();
    entries.closeSync();
    return { path: real, fresh: first === null };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw fsError(error, path);
    throw new ClipError('NOT_A_DIRECTORY', `${escapeText(directory)} is not a directory`, {
      hint: 'name a folder that is there, or one that can be made',
      cause: error,
    });
  }
}

function makeDirectory(node: Node, { placer, summary, kept }: Work): void {
  const path = placer.locate(node.path);
  const made = placer.directory(node.path, PRIVATE);
  if (!made) kept.add(node);
  // One that was there may be closed to us; one that holds it gets the image's mode in the end.
  if (!made && node.path !== '') openUp(path);
  summary.directories++;
}

function openUp(path: Buffer): void {
  try {
    withFile(path, DIRECTORY, (directory) => {
      const { mode } = fs.fstatSync(directory);
      if ((mode & 0o700) !== 0o700) fs.fchmodSync(directory, (mode & 0o7777) | 0o700);
    });
  } catch (error) {
    const { code } = ((error as ClipError).cause ?? {}) as NodeJS.ErrnoException;
    if (code !== 'EACCES' || !fs.lstatSync(path).isDirectory()) throw error;
    // Its own mode forbids to open it, so that only its path is left.
    try {
      fs.chmodSync(path, PRIVATE);
    } catch (refused) {
      throw fsError(refused, path);
    }
  }
}

function finishDirectory(node: Node, { placer, metadata, summary, kept }: Work): void {
  const path = placer.locate(node.path);
  try {
    withFile(path, DIRECTORY, (directory) => metadata.apply(directory, node.entry));
  } catch (error) {
    // One that was there may belong to somebody else: its content is ours, its mode is not.
    const { code } = ((error as ClipError).cause ?? {}) as NodeJS.ErrnoException;
    if (code !== 'EPERM' || !kept.has(node)) throw error;
    summary.notCarried.owners++;
  }
}

/** Each inode is made once, under the first of its names that is extracted; the others are linked to it. */
function splitHardLinks(
  nodes: readonly Node[],
  type: 'file' | 'symlink',
): { firsts: Node[]; others: [first: Node, node: Node][] } {
  const firsts: Node[] = [];
  const others: [Node, Node][] = [];
  const byInode = new Map<string, Node>();
  for (const node of nodes) {
    if (node.entry.type !== type || lostLink(node.entry)) continue;
    const first = node.nlink > 1 ? byInode.get(node.inode) : undefined;
    if (first) others.push([first, node]);
    else {
      firsts.push(node);
      if (node.nlink > 1) byInode.set(node.inode, node);
    }
  }
  return { firsts, others };
}

function inDataOrder(files: Node[]): Node[] {
  return files.sort((a, b) => a.layer - b.layer || a.entry.position - b.entry.position);
}

async function writeFiles(files: readonly Node[], work: Work): Promise<void> {
  const { placer, metadata, summary, options } = work;
  const { observer, reader, signal } = options;
  const total = files.reduce((sum, node) => sum + storedBytes(node), 0);
  let done = 0;
  const writer = createFileWriter({ placer, metadata, onFile });

  function onFile(node: Node): void {
    summary.files++;
    summary.bytes += node.entry.size;
    done += storedBytes(node);
    observer.emit({ type: 'progress', task: 'extracting', done, total, unit: 'bytes' });
  }

  try {
    for await (const part of await reader.readFiles(files, {
      inDataOrder: true,
      ...(signal && { signal }),
    })) {
      const pause = breath();
      if (pause) await pause;
      signal?.throwIfAborted();
      const room = writer.add(part);
      if (room) await room;
    }
    await writer.end();
  } finally {
    await writer.abandon();
  }
}

function storedBytes(node: Node): number {
  return extentsOf(node.entry).reduce((sum, extent) => sum + extent.length, 0);
}

function makeHardLink(first: Node, node: Node, { placer, summary }: Work): void {
  placer.place(node.path, (temporary) => fs.linkSync(placer.locate(first.path), temporary));
  summary.hardLinks++;
}

function makeLink(node: Node, { placer, metadata, summary }: Work): void {
  placer.place(node.path, (temporary) => {
    fs.symlinkSync(byteStringToBytes(node.entry.link), temporary);
    metadata.applyToLink(temporary, node.entry);
  });
  summary.links++;
}

function countLost(entry: Entry, notCarried: NotCarried): void {
  const { type } = entry;
  if (type === 'char' || type === 'block') notCarried.devices++;
  else if (type === 'fifo') notCarried.fifos++;
  const lost = lostLink(entry);
  if (lost) notCarried[lost]++;
}

/** Until its own mode is set at the end, nobody else looks into a directory that may be meant to be closed. */
const PRIVATE = 0o700;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

function withFile(path: Buffer, flags: number, use: (file: number) => void): void {
  let file: number | undefined;
  try {
    file = fs.openSync(path, flags, 0o600);
    use(file);
  } catch (error) {
    throw fsError(error, path);
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}
