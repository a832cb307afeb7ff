import type { Encoding } from '../format/model.js';

/** Bytes that `detectEncoding` needs at most. */
export const MAGIC_LENGTH = 4;

/**
 * How a layer is packed, by its first bytes: gzip 1f 8b (RFC 1952), zstd 28 b5 2f fd or a skippable frame 5? 2a 4d 18 (RFC 8878),
 * else plain. The media type has no say. What is neither is called plain here and refused by the tar walk.
 *
 * @returns undefined while `head`, shorter than the layer's beginning, could still become more than one of them.
 */
export function detectEncoding(head: Uint8Array, isWhole: boolean): Encoding | undefined {
  if (startsWith(head, GZIP)) return 'gzip';
  if (startsWith(head, ZSTD) || startsWith(head, SKIPPABLE)) return 'zstd';
  const magics = [GZIP, ZSTD, SKIPPABLE];
  if (!isWhole && magics.some((magic) => magic.length > head.length && matches(head, magic)))
    return undefined;
  return 'plain';
}

/** A compression that is not read here, and the program that undoes it; by the first bytes, of which `FOREIGN_LENGTH` are enough. */
export function foreignCompression(head: Uint8Array): { name: string; program: string } | undefined {
  return FOREIGN.find(({ magic }) => startsWith(head, magic));
}

export const FOREIGN_LENGTH = 10;

/** First bytes, as value and mask. */
type Magic = readonly (readonly [value: number, mask: number])[];

const GZIP: Magic = [exactly(0x1f), exactly(0x8b)];
const ZSTD: Magic = [exactly(0x28), exactly(0xb5), exactly(0x2f), exactly(0xfd)];
const SKIPPABLE: Magic = [[0x50, 0xf0], exactly(0x2a), exactly(0x4d), exactly(0x18)];

/** What other tools take. bzip2's beginning alone, `BZh`, may be that of a file's name in a tar. */
const FOREIGN: readonly { name: string; program: string; magic: Magic }[] = [
  { name: 'xz', program: 'unxz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00].map(exactly) },
  {
    name: 'bzip2',
    program: 'bunzip2',
    magic: [
      ...[0x42, 0x5a, 0x68].map(exactly),
      [0x30, 0xf0] as const,
      ...[0x31, 0x41, 0x59, 0x26, 0x53, 0x59].map(exactly),
    ],
  },
  { name: 'lz4', program: 'unlz4', magic: [0x04, 0x22, 0x4d, 0x18].map(exactly) },
];

function exactly(value: number): readonly [number, number] {
  return [value, 0xff];
}

function startsWith(head: Uint8Array, magic: Magic): boolean {
  return head.length >= magic.length && matches(head, magic);
}

/** Compares as many bytes as both have. */
function matches(head: Uint8Array, magic: Magic): boolean {
  return magic.every(([value, mask], at) => at >= head.length || (head[at]! & mask) === value);
}
