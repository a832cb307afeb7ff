import type { Entry } from '../tree/entry.js';
import type { Extents } from '../tree/extents.js';
import { ByteWriter } from './byte-writer.js';
import { beyondLimit, check } from './corrupt.js';
import type { Place } from './entry-columns.js';
import { MAX_EXTRAS, MAX_LAYER_EXTENTS, MAX_LAYER_XATTRS } from './limits.js';

export interface EntryPlaces {
  xattrs: Place | undefined;
  extents: Place | undefined;
}

/**
 * Extended attributes and the extents of sparse files: rare, and of any length, so they live in byte streams of their own, and
 * entries point into them. Equal sets of attributes are stored once in a layer: an image labelled for SELinux has a label on
 * every file, but few different ones.
 */
export class ExtrasWriter {
  readonly xattrs = new ByteWriter(1024);
  readonly extents = new ByteWriter(1024);
  readonly #record = new ByteWriter(1024);
  readonly #known = new Map<string, Place>();

  /** Stores what the entry has of either; undefined for the common case of neither. */
  add(entry: Entry): EntryPlaces | undefined {
    if (entry.xattrs.length === 0 && !entry.extents) return undefined;
    return {
      xattrs: entry.xattrs.length > 0 ? this.#addXattrs(entry.xattrs) : undefined,
      extents: entry.extents && this.#addExtents(entry, entry.extents),
    };
  }

  #addXattrs(xattrs: Entry['xattrs']): Place {
    const record = this.#record;
    record.clear();
    record.varint(xattrs.length);
    xattrs.forEach(([name, value], i) => {
      check(name !== '' && !name.includes('\0'), 'an extended attribute without a name');
      check(i === 0 || xattrs[i - 1]![0] < name, 'extended attributes are not sorted');
      record.varint(name.length);
      record.varint(value.length);
    });
    for (const [name, value] of xattrs) {
      record.byteString(name);
      record.byteString(value);
    }
    const key = record.view().toString('latin1');
    const known = this.#known.get(key);
    if (known) return known;
    const place = this.#append(this.xattrs, { most: MAX_LAYER_XATTRS, what: 'extended attributes' });
    this.#known.set(key, place);
    return place;
  }

  #addExtents({ position, size }: Entry, extents: Extents): Place {
    const record = this.#record;
    record.clear();
    record.varint(extents.length);
    let logical = 0;
    let offset = position;
    for (const extent of extents) {
      check(extent.logical >= logical, 'extents are not ascending');
      record.varint(extent.logical - logical);
      record.varint(extent.length);
      record.svarint(extent.offset - offset);
      logical = extent.logical + extent.length;
      offset = extent.offset + extent.length;
    }
    check(logical <= size, 'extents reach beyond the file');
    return this.#append(this.extents, { most: MAX_LAYER_EXTENTS, what: 'extents' });
  }

  #append(stream: ByteWriter, { most, what }: { most: number; what: string }): Place {
    const record = this.#record.view();
    if (record.length > MAX_EXTRAS) throw beyondLimit(`an entry has ${record.length} bytes of ${what}`);
    if (stream.length + record.length > most) throw beyondLimit(`a layer has over ${most} bytes of ${what}`);
    const place = { offset: stream.length, length: record.length };
    stream.bytes(record);
    return place;
  }
}
