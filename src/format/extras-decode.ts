import type { Entry } from '../tree/entry.js';
import { Extents } from '../tree/extents.js';
import { ByteReader } from './byte-reader.js';

/** Decodes a record of extended attributes: names in ascending byte order, each with its value. */
export function decodeXattrs(record: Uint8Array, where: string): Entry['xattrs'] {
  const reader = new ByteReader(record, where);
  const count = reader.count(2, 'number of attributes');
  const lengths: [name: number, value: number][] = [];
  for (let i = 0; i < count; i++) lengths.push([reader.varint(), reader.varint()]);
  const xattrs = lengths.map(([name, value]) => [reader.byteString(name), reader.byteString(value)] as const);
  reader.done();
  for (const [i, [name]] of xattrs.entries()) {
    if (name === '' || name.includes('\0')) reader.fail('an attribute without a name');
    if (i > 0 && xattrs[i - 1]![0] >= name) reader.fail('attributes are not in order');
  }
  return xattrs;
}

/** Decodes the extents of a sparse file: ascending within the file, each inside the layer's uncompressed bytes. */
export function decodeExtents(
  record: Uint8Array,
  { position, size, uncompressedSize, where }: ExtentBounds,
): Extents {
  const reader = new ByteReader(record, where);
  const count = reader.count(3, 'number of extents');
  const numbers = new Float64Array(count * 3);
  let logical = 0;
  let offset = position;
  for (let i = 0; i < count; i++) {
    logical += reader.varint();
    const length = reader.varint();
    offset += reader.svarint();
    if (logical + length > size) reader.fail('an extent reaches beyond its file');
    if (offset < 0 || offset + length > uncompressedSize) reader.fail('an extent reaches beyond the layer');
    numbers.set([logical, offset, length], i * 3);
    logical += length;
    offset += length;
  }
  reader.done();
  return new Extents(numbers);
}

export interface ExtentBounds {
  /** Of the entry: position in the layer, size of the file, bytes. */
  position: number;
  size: number;
  uncompressedSize: number;
  where: string;
}
