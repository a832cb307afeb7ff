import type { EntryType } from '../tree/entry.js';

/** Entry types by their number in the format. */
export const ENTRY_TYPES: readonly EntryType[] = [
  'file',
  'directory',
  'symlink',
  'hardlink',
  'char',
  'block',
  'fifo',
];

export const TAR_BLOCK = 512;

/**
 * Tar blocks from the data of one member to the data of the next, when nothing but a plain header lies between: the data,
 * padded, and the header.
 */
export function blocksToNext(size: number): number {
  return Math.ceil(size / TAR_BLOCK) + 1;
}

/** Bytes [offset, offset + length) of the stream `xattrs` or `extents`: where a record is. */
export interface Place {
  offset: number;
  length: number;
}
