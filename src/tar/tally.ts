/** What the entries of one tar hold together. Few bytes of a layer can stand for any number of them, and all are kept until its end. */
import type { ByteString } from '../bytes.js';
import type { Entry } from '../tree/entry.js';
import type { TarLimits } from './limits.js';
import { tarLimit } from './tar-error.js';

export interface Tally {
  /** Counts an entry that is complete, with its header at offset `at`; equal sets of attributes become one. Throws LIMIT. */
  add(entry: Entry, at: number): void;
}

/** Bytes that an attribute counts besides its name and value: what the index spends on their lengths. */
const XATTR_OVERHEAD = 8;

export function createTally(limits: TarLimits): Tally {
  const sets = new Map<string, Entry['xattrs']>();
  let names = 0;
  let runs = 0;
  let attributes = 0;
  /** The set that came last, and the one that it is equal to: global records give all entries the same one. */
  let last: { given: Entry['xattrs']; kept: Entry['xattrs'] } | undefined;

  function shared(xattrs: Entry['xattrs'], at: number): Entry['xattrs'] {
    if (last?.given === xattrs) return last.kept;
    const key = keyOf(xattrs);
    let kept = sets.get(key);
    if (!kept) {
      attributes += key.length;
      if (attributes > limits.allXattrBytes) throw tarLimit('too many bytes of extended attributes', at);
      kept = xattrs;
      sets.set(key, kept);
    }
    last = { given: xattrs, kept };
    return kept;
  }

  return {
    add(entry, at) {
      names += entry.path.length + entry.link.length + entry.uname.length + entry.gname.length;
      if (names > limits.allNameBytes) throw tarLimit('too many bytes of names', at);
      if (entry.extents) {
        runs += entry.extents.length;
        if (runs > limits.allRuns) throw tarLimit('too many runs in sparse files', at);
      }
      if (entry.xattrs.length > 0) entry.xattrs = shared(entry.xattrs, at);
    },
  };
}

/** Distinct for sets that differ, and as long as the set counts. */
function keyOf(xattrs: Entry['xattrs']): string {
  return xattrs.map(([name, value]) => lengthOf(name) + lengthOf(value) + name + value).join('');
}

function lengthOf(text: ByteString): string {
  return text.length.toString(36).padStart(XATTR_OVERHEAD / 2, '0');
}
