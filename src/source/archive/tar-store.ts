/** The members of a tar file on disk as a content store, read in place: headers are walked, data is stepped over by seeking. */

import { byteStringToText } from '../../bytes.js';
import { ClipError, isClipError } from '../../errors.js';
import { escapeText } from '../../escape.js';
import { abortError } from '../../http/errors.js';
import { detectEncoding, MAGIC_LENGTH } from '../../inflate/detect.js';
import { corrupt } from '../../oci/json.js';
import { BLOCK } from '../../tar/header.js';
import { createTarWalker } from '../../tar/walk.js';
import { type Entry, extentsOf } from '../../tree/entry.js';
import type { ExtentList } from '../../tree/extents.js';
import { type ContentFile, type ContentStore, fileError } from '../content-store.js';
import { openFile } from '../layout.js';
import type { ReadOptions } from '../source.js';
import { noArchive, whatIs } from './archive-errors.js';

const READ = 64 << 10;
const ZEROS = new Uint8Array(1 << 20);
/** An archive of images has a few files per layer. */
const MAX_MEMBERS = 100_000;
/** Old `docker save` archives link layers to one another; no chain is longer than the layers. */
const MAX_LINKS = 1024;
/** Bytes of a member that one byte of the archive may stand for, holes counted: as many as where DEFLATE compresses zeros. */
const MAX_HOLES = 1032;
/** The file that lists an archive's images, by the transport that reads it. */
const LISTING = { 'oci-archive': 'index.json', 'docker-archive': 'manifest.json' } as const;
const LISTINGS = new Set<string>(Object.values(LISTING));

/** A file's bytes lie where its extents say; what is between them is zeros. */
type StoredFile = { size: number; extents: ExtentList };
type Member = StoredFile | { link: string };

export interface TarStoreOptions extends ReadOptions {
  /** The path in errors, where it is not what the user named. */
  named?: string;
}

/** Opens a tar file. Throws NOT_FOUND, IO, CORRUPT_TAR, LIMIT, or UNSUPPORTED for a compressed one. */
export async function openTarStore(path: string, options: TarStoreOptions = {}): Promise<ContentStore> {
  const what = whatIs(options.named ?? path);
  const file = await openFile(path).catch((error: unknown) => {
    throw fileError(error, what);
  });
  if (file === undefined)
    throw new ClipError('NOT_FOUND', `${what} does not exist`, { hint: 'check the path' });
  try {
    await checkPlain(file, what);
    const members = await walkMembers(file, options).catch((error: unknown) => {
      throw isClipError(error, 'CORRUPT_TAR') ? noArchive(what, error) : error;
    });
    return { open: async (name) => openMember(file, members, name), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw fileError(error, what);
  }
}

async function checkPlain(file: ContentFile, what: string): Promise<void> {
  const head = new Uint8Array(Math.min(MAGIC_LENGTH, file.size));
  await file.read(head, 0);
  const encoding = detectEncoding(head, true);
  if (encoding === 'plain' || encoding === undefined) return;
  throw new ClipError('UNSUPPORTED', `${what} is compressed (${encoding}) and cannot be read in the middle`, {
    hint: `decompress it first: ${encoding === 'gzip' ? 'gunzip' : 'unzstd'} FILE`,
  });
}

/** Every member's place. The walker is given zeros instead of file data, which it does not look at. */
async function walkMembers(file: ContentFile, options: ReadOptions): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  let last: Entry | undefined;
  const walker = createTarWalker({
    entry(entry) {
      last = entry;
      addMember(members, entry);
    },
  });
  const buffer = new Uint8Array(READ);
  for (let position = 0; position < file.size; ) {
    if (options.signal?.aborted === true) throw abortError(options.signal);
    const count = await file.read(buffer, position);
    if (count === 0) break;
    let at = 0;
    while (at < count) {
      const block = buffer.subarray(at, Math.min(at + BLOCK, count));
      last = undefined;
      walker.push(block);
      at += block.length;
      const entry = last as Entry | undefined;
      // Sparse members carry maps and holes; their stored bytes are walked as they are.
      if (entry?.type !== 'file' || entry.extents !== undefined || entry.size === 0) continue;
      if (entry.size > file.size - position - at) throw truncated();
      const data = Math.ceil(entry.size / BLOCK) * BLOCK;
      for (let left = data; left > 0; left -= ZEROS.length)
        walker.push(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
      at += data;
    }
    position += at;
  }
  walker.end();
  return members;
}

function truncated(): ClipError {
  return new ClipError('CORRUPT_TAR', 'it ends in the middle of a file');
}

/** Closes the store and throws CORRUPT_IMAGE where the archive is of the other kind alone; newer ones of docker are both. */
export async function checkKind(
  store: ContentStore,
  { transport, path, name }: { transport: keyof typeof LISTING; path: string; name: string },
): Promise<void> {
  const other = transport === 'oci-archive' ? 'docker-archive' : 'oci-archive';
  if (await store.open(LISTING[transport])) return;
  if (!(await store.open(LISTING[other]))) {
    await store.close();
    throw new ClipError('NOT_FOUND', `${name} holds no ${LISTING[transport]}: it is no archive of an image`, {
      hint: `a root file system alone is tar:${path}`,
    });
  }
  await store.close();
  throw new ClipError('CORRUPT_IMAGE', `${name} holds no ${LISTING[transport]}: it is of another kind`, {
    hint: `write ${other}:${path}`,
  });
}

/** The last of several members of one name wins, as it would when unpacked; but see `LISTINGS`. */
function addMember(members: Map<string, Member>, entry: Entry): void {
  const name = byteStringToText(entry.path);
  if (LISTINGS.has(name) && members.has(name)) {
    // Unpackers take the last one, readers in place the first: what an image is must not depend on who reads it.
    throw corrupt('the archive', `holds more than one ${name}`);
  }
  if (entry.type === 'file') {
    members.set(name, { size: entry.size, extents: extentsOf(entry) });
  } else if (entry.type === 'hardlink') {
    members.set(name, { link: byteStringToText(entry.link) });
  } else if (entry.type === 'symlink') {
    members.set(name, { link: resolveLink(name, byteStringToText(entry.link)) });
  }
  if (members.size > MAX_MEMBERS) {
    throw new ClipError('LIMIT', `the archive has more than ${MAX_MEMBERS} files`, {
      hint: 'is this an archive of images? A root file system is tar:FILE',
    });
  }
}

/** A relative link from its folder; it never leaves the archive, since only members can be found. */
function resolveLink(name: string, link: string): string {
  const parts = link.startsWith('/') ? [] : name.split('/').slice(0, -1);
  for (const part of link.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function openMember(file: ContentFile, members: Map<string, Member>, name: string): ContentFile | undefined {
  let member = members.get(name);
  for (let links = 0; member !== undefined && 'link' in member; links++) {
    if (links > MAX_LINKS) return undefined;
    member = members.get(member.link);
  }
  if (member === undefined) return undefined;
  const { size, extents } = member;
  if (size > file.size * MAX_HOLES) {
    throw new ClipError(
      'LIMIT',
      `the archive's ${escapeText(name)} is ${size} bytes, nearly all of them holes`,
      {
        hint: 'this is no ordinary image; docs/security.md lists the limits',
      },
    );
  }
  return {
    size,
    identity: member,
    read: (target, position) =>
      readExtents(file, extents, { target: target.subarray(0, Math.max(0, size - position)), position }),
    async close() {},
  };
}

/** Fills `target` from `position` of the member on, as far as the archive goes; returns the bytes read. */
async function readExtents(
  file: ContentFile,
  extents: ExtentList,
  { target, position }: { target: Uint8Array; position: number },
): Promise<number> {
  let number = firstBehind(extents, position);
  for (let done = 0; done < target.length; ) {
    const extent = extents.at(number);
    const start = (extent?.logical ?? Number.POSITIVE_INFINITY) - position;
    if (extent === undefined || start > done) {
      const end = Math.min(start, target.length);
      target.fill(0, done, end);
      done = end;
      continue;
    }
    const part = target.subarray(done, start + extent.length);
    const count = await file.read(part, extent.offset + done - start);
    done += count;
    if (count < part.length) return done;
    number++;
  }
  return target.length;
}

/** The number of the first extent that ends behind `position`. */
function firstBehind(extents: ExtentList, position: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { logical, length } = extents.at(middle)!;
    if (logical + length > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
