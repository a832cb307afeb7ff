/**
 * The tree, or a selection of it, as one tar stream.
 *
 * Members come in the tree's own order: depth first, parents before what is in them, by name. It depends on the image alone; GNU
 * tar can set a directory's time when it leaves it, without a second pass; and it is the order in which most builders wrote the
 * layers, so spans are needed again soon or never. (Against the order of the data, where directories would have to come twice, it
 * inflated 11 % more spans of a 2.6 GB image whose layers are in readdir order, with the default memory tier.)
 *
 * The first name of a file with several carries the data, the others are hard links to it. A sparse file with large holes is
 * written in PAX sparse format 1.0 (GNU tar manual, 'Storing Sparse Files'); small holes are zeros, which every reader knows.
 */
import type { ByteString } from '../bytes.js';
import { ClipError } from '../errors.js';
import { escapeName } from '../escape.js';
import type { Observer } from '../observer.js';
import { encodeTarHeader, paddingOf, SPARSE_NAME, type TarMember } from '../tar/write-header.js';
import { type Entry, extentsOf, storedBytes } from '../tree/entry.js';
import { FirstNames } from '../tree/first-names.js';
import type { Node } from '../tree/node.js';
import { createChunkJoiner } from './chunk-joiner.js';
import { type LostLinks, lostLink, lostLinkSentences } from './lost-links.js';
import { machineXattrsSentence, withoutMachineXattrs } from './machine-xattrs.js';
import { zeros as zeroChunks } from './plan.js';
import type { ImageReader } from './reader.js';
import { SparseMember } from './sparse-member.js';
import type { Nodes } from './stream-files.js';

export interface ExportOptions {
  reader: Pick<ImageReader, 'readFiles'>;
  observer: Observer;
  /** Bytes of all files, if known: the progress bar's end. */
  total?: number;
  signal?: AbortSignal;
}

/** Holes of less than this, taken together, are written as zeros. */
const SPARSE_FROM = 1 << 20;

/**
 * Yields the tar in chunks, in order, in bounded memory. A chunk must not be changed, and is valid until the next one is asked for.
 * `nodes` come as `selectNodes` gives them, parents first. Throws what reading throws, UNSAFE_PATH for a path that no
 * clean tree holds, and the signal's reason. A hard link to nothing cannot be in a tar that unpacks, and attributes of a machine have
 * no place in one; they are left out, with one warning each.
 */
export async function* exportTar(nodes: Nodes, options: ExportOptions): AsyncGenerator<Uint8Array> {
  const { reader, observer, total, signal } = options;
  const members = asMembers(nodes, observer);
  const joiner = createChunkJoiner();
  let done = 0;
  let node: Node | undefined;
  let layout: Layout | undefined;
  for await (const part of await reader.readFiles(members, signal ? { signal } : {})) {
    if (part.node !== node) {
      node = part.node;
      layout = layoutOf(node);
      yield* joiner.add(headerOf(node, layout));
    }
    const stored = layout?.sparse?.advance(part.bytes.byteLength + part.zeros);
    if (part.bytes.byteLength > 0) yield* joiner.add(part.bytes);
    else for (const zeros of zeroChunks(stored ?? part.zeros)) yield* joiner.add(zeros);
    if (!part.last) continue;
    done += node.entry.size;
    yield* joiner.add(PADDING.subarray(0, paddingOf(layout?.size ?? 0)));
    observer.emit({ type: 'progress', task: 'exporting', done, total, unit: 'bytes' });
  }
  yield* joiner.add(END_OF_ARCHIVE);
  yield* joiner.end();
}

const PADDING = Buffer.alloc(511);
/** POSIX.1-2017 pax: two blocks of zeros at least. */
const END_OF_ARCHIVE = Buffer.alloc(1024);

/** The nodes, with every name of an inode but the first as a hard link to that, without what is not to be carried over. */
async function* asMembers(nodes: Nodes, observer: Observer): AsyncGenerator<Node> {
  const firsts = new FirstNames();
  const lost: LostLinks = { brokenLinks: 0, impossibleLinks: 0 };
  let stripped = 0;
  for await (const { entry: whole, ...node } of nodes) {
    checkPath(node.path);
    const kind = lostLink(whole);
    if (kind) {
      lost[kind]++;
      continue;
    }
    const entry = withoutMachineXattrs(whole);
    if (entry !== whole) stripped++;
    const first = firsts.of(node);
    if (first === node.path) yield { ...node, entry };
    else yield { ...node, entry: asHardLink(entry, first) };
  }
  for (const [count, message] of [...lostLinkSentences(lost), machineXattrsSentence(stripped)]) {
    if (count > 0) observer.emit({ type: 'warning', code: 'NOT_CARRIED_OVER', message });
  }
}

/** The attributes are the inode's, which has them already. */
function asHardLink({ extents: _, ...entry }: Entry, link: ByteString): Entry {
  return { ...entry, type: 'hardlink', size: 0, link, xattrs: [] };
}

/** What a tar must not name: an index that somebody else made could. */
function checkPath(path: ByteString): void {
  if (path === '' || !/(^|\/)\.{0,2}(\/|$)|\0/.test(path)) return;
  throw new ClipError('UNSAFE_PATH', `the image names a path that cannot be exported: /${escapeName(path)}`, {
    hint: 'the index is damaged or made to do harm; build it again from the image',
  });
}

/** How a member's data lies in the tar. */
interface Layout {
  /** Bytes after the header block, the map of a sparse file included. */
  size: number;
  sparse: SparseMember | undefined;
}

function layoutOf({ entry }: Node): Layout {
  if (entry.type !== 'file') return { size: 0, sparse: undefined };
  if (entry.size - storedBytes(entry) >= SPARSE_FROM) {
    const sparse = new SparseMember(extentsOf(entry), entry.size);
    // Around many short extents the zeros of their blocks may be all that the holes had.
    if (entry.size - sparse.stored >= SPARSE_FROM) return { size: sparse.map.length + sparse.stored, sparse };
  }
  return { size: entry.size, sparse: undefined };
}

function headerOf({ path, entry }: Node, { size, sparse }: Layout): Buffer {
  const member: TarMember = {
    name: nameOf(path, entry.type),
    type: entry.type,
    entry,
    link: entry.link,
    size,
  };
  if (!sparse) return encodeTarHeader(member);
  const base = path.slice(path.lastIndexOf('/') + 1);
  const extra = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    [SPARSE_NAME, path],
    ['GNU.sparse.realsize', String(entry.size)],
  ] as [ByteString, ByteString][];
  const name = `GNUSparseFile.0/${base}`.slice(0, 100) as ByteString;
  return Buffer.concat([encodeTarHeader({ ...member, name, extra }), sparse.map]);
}

function nameOf(path: ByteString, type: string): ByteString {
  if (path === '') return './' as ByteString;
  return type === 'directory' ? (`${path}/` as ByteString) : path;
}
