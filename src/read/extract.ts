/**
 * Writes a selection of an image's tree into a folder. The order is what makes it quick and safe:
 *
 * 1. directories, so that every parent is a real one, made or looked at by us;
 * 2. regular files in the order of their data in the layers, so that each span is inflated once, a few at a time;
 * 3. hard links, then symbolic links: while anything is written through a path, the image's links do not exist yet;
 * 4. modes and times of the directories, deepest first, since writing into them changes their times and may be forbidden.
 */

import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import { makeFolder } from '../cache/make-folder.js';
import { ClipError } from '../errors.js';
import type { Observer } from '../observer.js';
import { type EntryType, extentsOf } from '../tree/entry.js';
import type { Node } from '../tree/node.js';
import { fsError } from './extract-errors.js';
import { createMetadata, type Metadata, type NotCarried } from './extract-metadata.js';
import { createPlacer, type Placer } from './extract-place.js';
import type { ImageReader } from './reader.js';

export interface ExtractOptions {
  /** Made if it is missing; a link to a folder is resolved, once. */
  directory: string;
  reader: Pick<ImageReader, 'read'>;
  observer: Observer;
  /** Files in flight at once; default 8. */
  concurrency?: number;
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
  const notCarried: NotCarried = { devices: 0, fifos: 0, brokenLinks: 0, xattrs: 0, owners: 0, setids: 0 };
  const summary: ExtractSummary = { files: 0, directories: 0, links: 0, hardLinks: 0, bytes: 0, notCarried };
  const root = await prepareRoot(options.directory);
  const placer = createPlacer(root.path);
  const work: Work = { placer, metadata: createMetadata(notCarried), summary, options, kept: new Set() };
  const directories = nodes.filter((node) => node.entry.type === 'directory');
  for (const node of directories) await makeDirectory(node, work);
  const files = splitHardLinks(nodes, 'file');
  await writeFiles(inDataOrder(files.firsts), work);
  for (const [first, node] of files.others) await makeHardLink(first, node, work);
  const links = splitHardLinks(nodes, 'symlink');
  for (const node of links.firsts) await makeLink(node, work);
  for (const [first, node] of links.others) {
    // Elsewhere link(2) follows a symbolic link, and out of the folder.
    if (process.platform === 'linux') await makeHardLink(first, node, work);
    else await makeLink(node, work);
  }
  for (const { entry } of nodes) countLost(entry.type, notCarried);
  for (const node of directories.reverse()) {
    // A folder in use, /tmp for one, is not the image's root.
    if (node.path !== '' || root.fresh) await finishDirectory(node, work);
  }
  return summary;
}

/** The folder by its real path; `fresh` if nothing is in it. */
async function prepareRoot(directory: string): Promise<{ path: Buffer; fresh: boolean }> {
  const path = Buffer.from(directory);
  try {
    makeFolder(directory);
    const real = await fs.realpath(path, { encoding: 'buffer' });
    const entries = await fs.opendir(real as unknown as string);
    const first = await entries.read();
    await entries.close();
    return { path: real, fresh: first === null };
  } catch (error) {
    throw fsError(error, path);
  }
}

async function makeDirectory(node: Node, { placer, summary, options, kept }: Work): Promise<void> {
  options.signal?.throwIfAborted();
  const path = placer.locate(node.path);
  const made = await placer.directory(node.path, PRIVATE);
  if (!made) kept.add(node);
  // One that was there may be closed to us; one that holds it gets the image's mode in the end.
  if (!made && node.path !== '') await withHandle(path, DIRECTORY, async (handle) => openUp(handle));
  summary.directories++;
}

async function openUp(handle: fs.FileHandle): Promise<void> {
  const { mode } = await handle.stat();
  if ((mode & 0o700) !== 0o700) await handle.chmod((mode & 0o7777) | 0o700);
}

async function finishDirectory(node: Node, { placer, metadata, summary, kept }: Work): Promise<void> {
  const path = placer.locate(node.path);
  try {
    await withHandle(path, DIRECTORY, (handle) => metadata.apply(handle, node.entry));
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
    if (node.entry.type !== type) continue;
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
  const { observer, concurrency = 8 } = work.options;
  const total = files.reduce((sum, node) => sum + storedBytes(node), 0);
  let done = 0;
  let next = 0;
  let failed = false;
  async function worker(): Promise<void> {
    while (next < files.length && !failed) {
      const node = files[next++]!;
      try {
        await writeFile(node, work);
      } catch (error) {
        failed = true;
        throw error;
      }
      done += storedBytes(node);
      observer.emit({ type: 'progress', task: 'extracting', done, total, unit: 'bytes' });
    }
  }
  const workers = Array.from({ length: concurrency }, worker);
  // All have to end before the first failure is told: none may write after that.
  const ended = await Promise.allSettled(workers);
  const failure = ended.find((result) => result.status === 'rejected');
  if (failure) throw failure.reason;
}

function storedBytes(node: Node): number {
  return extentsOf(node.entry).reduce((sum, extent) => sum + extent.length, 0);
}

async function writeFile(node: Node, { placer, metadata, summary, options }: Work): Promise<void> {
  options.signal?.throwIfAborted();
  await placer.place(node.path, (temporary) =>
    withHandle(temporary, NEW_FILE, async (handle) => {
      await writeData(handle, node, options);
      await metadata.apply(handle, node.entry);
    }),
  );
  summary.files++;
  summary.bytes += node.entry.size;
}

/** The file's extents at their places; what lies between them stays a hole. */
async function writeData(handle: fs.FileHandle, node: Node, options: ExtractOptions): Promise<void> {
  const { reader, signal } = options;
  const { size, extents } = node.entry;
  for (const { logical, length } of extents ?? [{ logical: 0, length: size }]) {
    if (length === 0) continue;
    let position = logical;
    const range = { offset: logical, length, ...(signal ? { signal } : {}) };
    for await (const chunk of reader.read(node, range)) {
      position += await writeAll(handle, chunk, position);
    }
    if (position !== logical + length) {
      throw new ClipError('CORRUPT_LAYER', `a file of the image ended after ${position} of ${size} bytes`);
    }
  }
  if (extents) await handle.truncate(size);
}

async function writeAll(handle: fs.FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
  return bytes.length;
}

async function makeHardLink(first: Node, node: Node, { placer, summary, options }: Work): Promise<void> {
  options.signal?.throwIfAborted();
  await placer.place(node.path, (temporary) => fs.link(placer.locate(first.path), temporary));
  summary.hardLinks++;
}

async function makeLink(node: Node, { placer, metadata, summary, options }: Work): Promise<void> {
  options.signal?.throwIfAborted();
  await placer.place(node.path, async (temporary) => {
    await fs.symlink(Buffer.from(node.entry.link, 'latin1'), temporary);
    await metadata.applyToLink(temporary, node.entry);
  });
  summary.links++;
}

function countLost(type: EntryType, notCarried: NotCarried): void {
  if (type === 'char' || type === 'block') notCarried.devices++;
  else if (type === 'fifo') notCarried.fifos++;
  // The index says this only of a link whose target is nowhere in the image.
  else if (type === 'hardlink') notCarried.brokenLinks++;
}

/** Until its own mode is set at the end, nobody else looks into a directory that may be meant to be closed. */
const PRIVATE = 0o700;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

async function withHandle(
  path: Buffer,
  flags: number,
  use: (handle: fs.FileHandle) => Promise<void>,
): Promise<void> {
  let handle: fs.FileHandle | undefined;
  try {
    handle = await fs.open(path, flags, 0o600);
    await use(handle);
  } catch (error) {
    throw fsError(error, path);
  } finally {
    await handle?.close();
  }
}
