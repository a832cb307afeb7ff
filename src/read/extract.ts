/**
 * Writes a selection of an image's tree into a folder, in several passes over it. Their order is what makes it quick and safe:
 *
 * 1. what there is: totals, and which names share an inode;
 * 2. directories, so that every parent is a real one, made or looked at by us;
 * 3. regular files in the order of their data in the layers, so that each span is inflated once, neighbours sharing it;
 * 4. hard links, then symbolic links: while anything is written through a path, the image's links do not exist yet;
 * 5. modes and times of the directories, deepest first, since writing into them changes their times and may be forbidden.
 */

import fs, { constants } from 'node:fs';
import { type ByteString, byteStringToBytes } from '../bytes.js';
import { makeFolder } from '../cache/make-folder.js';
import { errnoOf } from '../errno.js';
import { ClipError } from '../errors.js';
import { escapeText } from '../escape.js';
import type { Observer } from '../observer.js';
import { type Entry, storedBytes } from '../tree/entry.js';
import { FirstNames } from '../tree/first-names.js';
import type { Node } from '../tree/node.js';
import { type BatchRoom, NodeBatch } from '../tree/node-batch.js';
import { isWithin, type Selection } from '../tree/select.js';
import { fsError } from './extract-errors.js';
import { createFileWriter } from './extract-files.js';
import { createMetadata, type Metadata, type NotCarried } from './extract-metadata.js';
import { withoutLongNames } from './extract-names.js';
import { createPlacer, type Placer } from './extract-place.js';
import { lostLink } from './lost-links.js';
import { createPasses, type Passes } from './passes.js';
import type { ImageReader } from './reader.js';
import { breath, inTurns } from './turns.js';

export interface ExtractOptions {
  /** Made if it is missing; a link to a folder is resolved, once. */
  directory: string;
  reader: Pick<ImageReader, 'readFiles'>;
  observer: Observer;
  /** Nodes that are held at a time, and files that are put in the order of their data together. Default 131,072, more than most images have. */
  atOnce?: number;
  /**
   * Takes the error (IO) of each name that is too long for the file system; it is left out, with all below it, and the extraction
   * goes on. Without it that error is thrown.
   */
  onError?: (error: ClipError) => void;
  signal?: AbortSignal;
}

/** Bytes of the names, attributes and extents that are held at a time. */
const BYTES_AT_ONCE = 33_554_432;

interface Work {
  room: BatchRoom;
  passes: Passes<keyof typeof KINDS>;
  placer: Placer;
  metadata: Metadata;
  notCarried: NotCarried;
  options: ExtractOptions;
  survey: Survey;
}

const KINDS = {
  directories: ({ entry }: Node) => entry.type === 'directory',
  files: ({ entry }: Node) => entry.type === 'file',
  sharedFiles: ({ entry, nlink }: Node) => entry.type === 'file' && nlink > 1,
  symlinks: ({ entry }: Node) => entry.type === 'symlink' && !lostLink(entry),
} as const;

/** What the first pass finds. */
interface Survey {
  names: number;
  /** Bytes of the files without holes, each inode once. */
  bytes: number;
  firsts: FirstNames;
}

/**
 * Extracts what `selection` yields, each time the same, in canonical order: each node to its path in the tree. Parents that are not
 * among them are made with default modes; where there is nothing, nothing is made. Memory does not grow with the nodes, but for those
 * that share an inode. Returns what could not be carried over. Throws ClipError IO, NO_SPACE, UNSAFE_PATH, LIMIT, what reading throws,
 * and the signal's reason; no half-written file is left behind.
 */
export async function extract(selection: Selection, options: ExtractOptions): Promise<NotCarried> {
  const notCarried: NotCarried = {
    devices: 0,
    fifos: 0,
    brokenLinks: 0,
    impossibleLinks: 0,
    xattrs: 0,
    owners: 0,
    setids: 0,
  };
  const { atOnce = 131_072, onError = fail, signal } = options;
  const room = { nodes: atOnce, bytes: BYTES_AT_ONCE };
  let folder: Folder | undefined;
  const open = (): Folder => {
    folder ??= openFolder(options.directory);
    return folder;
  };
  const possible = withoutLongNames(selection, () => open().placer, onError);
  const passes = createPasses(() => possible.nodes(), { kinds: KINDS, keep: room, signal });
  const survey = await surveyAll(passes, notCarried);
  if (survey.names === 0) return notCarried;
  const { placer, fresh } = open();
  const work: Work = {
    passes,
    room,
    placer,
    metadata: createMetadata(notCarried),
    notCarried,
    options,
    survey,
  };
  await makeDirectories(work);
  await makeFiles(work);
  await makeHardLinks(work);
  await makeLinks(work);
  await finishDirectories(work, fresh);
  return notCarried;
}

async function surveyAll(passes: Work['passes'], notCarried: NotCarried): Promise<Survey> {
  const survey: Survey = { names: 0, bytes: 0, firsts: new FirstNames() };
  for await (const nodes of passes.first()) {
    survey.names += nodes.length;
    for (const node of nodes) {
      if (isLost(node.entry, notCarried) || otherName(node, survey) !== undefined) continue;
      if (node.entry.xattrs.length > 0) notCarried.xattrs++;
      survey.bytes += storedBytes(node.entry);
    }
  }
  return survey;
}

/** The name that this one is to be linked to; undefined for the one under which the inode itself is made. */
function otherName(node: Node, { firsts }: Survey): ByteString | undefined {
  const first = firsts.of(node);
  return first === node.path ? undefined : first;
}

/** One of many short pieces of work that block; between them signals are heard and what was fetched is taken in. */
async function inTurn({ options }: Work, piece: () => void): Promise<void> {
  const pause = breath();
  if (pause) await pause;
  options.signal?.throwIfAborted();
  piece();
}

function fail(error: ClipError): never {
  throw error;
}

interface Folder {
  placer: Placer;
  /** Nothing was in it. */
  fresh: boolean;
}

function openFolder(directory: string): Folder {
  const path = Buffer.from(directory);
  try {
    makeFolder(directory);
    const real = fs.realpathSync.native(path, { encoding: 'buffer' });
    const entries = fs.opendirSync(real as unknown as string);
    const first = entries.readSync();
    entries.closeSync();
    return { placer: createPlacer(real), fresh: first === null };
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw fsError(error, path);
    throw new ClipError('NOT_A_DIRECTORY', `${escapeText(directory)} is not a directory`, {
      hint: 'name a folder that is there, or one that can be made',
      cause: error,
    });
  }
}

function makeDirectory(node: Node, { placer }: Work): void {
  const path = placer.locate(node.path);
  const made = placer.directory(node.path, PRIVATE);
  // One that was there may be closed to us; one that holds it gets the image's mode in the end.
  if (!made && node.path !== '') openUp(path);
}

function openUp(path: Buffer): void {
  try {
    withFile(path, DIRECTORY, (directory) => {
      const { mode } = fs.fstatSync(directory);
      if ((mode & 0o700) !== 0o700) fs.fchmodSync(directory, (mode & 0o7777) | 0o700);
    });
  } catch (error) {
    const code = errnoOf((error as ClipError).cause);
    if (code !== 'EACCES' || !fs.lstatSync(path).isDirectory()) throw error;
    // Its own mode forbids to open it, so that only its path is left.
    try {
      fs.chmodSync(path, PRIVATE);
    } catch (refused) {
      throw fsError(refused, path);
    }
  }
}

function finishDirectory(node: Node, { placer, metadata, notCarried }: Work): void {
  const path = placer.locate(node.path);
  try {
    withFile(path, DIRECTORY, (directory) => metadata.apply(directory, node.entry));
  } catch (error) {
    // One that was there may belong to somebody else: its content is ours, its mode is not.
    const code = errnoOf((error as ClipError).cause);
    if (code !== 'EPERM' || placer.directory(node.path)) throw error;
    notCarried.owners++;
  }
}

async function makeDirectories(work: Work): Promise<void> {
  for await (const nodes of work.passes.again('directories')) {
    for (const node of nodes) await inTurn(work, () => makeDirectory(node, work));
  }
}

async function makeFiles(work: Work): Promise<void> {
  const write = createChunkWriter(work);
  const files = new NodeBatch(work.room);
  for await (const nodes of work.passes.again('files')) {
    for (const node of nodes) {
      if (otherName(node, work.survey) === undefined) files.add(node);
    }
    if (files.isFull) await write(files.take());
  }
  await write(files.take());
}

/** Writes files in the order of their data, one chunk after the other. */
function createChunkWriter(work: Work): (files: Node[]) => Promise<void> {
  const { placer, metadata, options, survey } = work;
  const { observer, reader, signal } = options;
  let done = 0;

  function onFile(node: Node): void {
    done += storedBytes(node.entry);
    observer.emit({ type: 'progress', task: 'extracting', done, total: survey.bytes, unit: 'bytes' });
  }

  return async (files) => {
    const writer = createFileWriter({ placer, metadata, onFile });
    try {
      const how = { inDataOrder: true, ...(signal && { signal }) };
      for await (const part of inTurns(await reader.readFiles(inDataOrder(files), how), signal)) {
        const room = writer.add(part);
        if (room) await room;
      }
      await writer.end();
    } finally {
      await writer.abandon();
    }
  };
}

function inDataOrder(files: Node[]): Node[] {
  return files.sort((a, b) => a.layer - b.layer || a.entry.position - b.entry.position);
}

async function makeHardLinks(work: Work): Promise<void> {
  for await (const nodes of work.passes.again('sharedFiles')) {
    for (const node of nodes) {
      const first = otherName(node, work.survey);
      if (first !== undefined) await inTurn(work, () => makeHardLink(first, node, work));
    }
  }
}

async function makeLinks(work: Work): Promise<void> {
  for await (const nodes of work.passes.again('symlinks')) {
    for (const node of nodes) {
      const first = otherName(node, work.survey);
      // Elsewhere link(2) follows a symbolic link, and out of the folder.
      if (first !== undefined && process.platform === 'linux')
        await inTurn(work, () => makeHardLink(first, node, work));
      else await inTurn(work, () => makeLink(node, work));
    }
  }
}

/** A directory is finished when the pass leaves it: all directories below it follow it directly. */
async function finishDirectories(work: Work, freshRoot: boolean): Promise<void> {
  const open: Node[] = [];
  const finishInnermost = (): Promise<void> => {
    const directory = open.pop()!;
    return inTurn(work, () => finishDirectory(directory, work));
  };
  for await (const nodes of work.passes.again('directories')) {
    for (const node of nodes) {
      while (open.length > 0 && !isWithin(node.path, open.at(-1)!.path)) await finishInnermost();
      // A folder in use, /tmp for one, is not the image's root.
      if (node.path === '' && !freshRoot) continue;
      // Thousands may be open at once, each with a megabyte of attributes, which have been counted.
      open.push({ ...node, entry: { ...node.entry, xattrs: [] } });
    }
  }
  while (open.length > 0) await finishInnermost();
}

function makeHardLink(first: ByteString, node: Node, { placer }: Work): void {
  placer.place(node.path, (temporary) => fs.linkSync(placer.locate(first), temporary));
}

function makeLink(node: Node, { placer, metadata }: Work): void {
  placer.place(node.path, (temporary) => {
    fs.symlinkSync(byteStringToBytes(node.entry.link), temporary);
    metadata.applyToLink(temporary, node.entry);
  });
}

/** Whether an entry is what cannot be made here; counts it. */
function isLost(entry: Entry, notCarried: NotCarried): boolean {
  const lost = kindOfLoss(entry);
  if (lost) notCarried[lost]++;
  return lost !== undefined;
}

function kindOfLoss(entry: Entry): keyof NotCarried | undefined {
  const { type } = entry;
  if (type === 'char' || type === 'block') return 'devices';
  return type === 'fifo' ? 'fifos' : lostLink(entry);
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
