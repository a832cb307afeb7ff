import fs from 'node:fs';
import type { ByteString } from '../bytes.js';
import { errnoOf } from '../errno.js';
import type { ClipError } from '../errors.js';
import type { Node } from '../tree/node.js';
import { isWithin, type Selection } from '../tree/select.js';
import { fsError } from './extract-errors.js';
import type { Placer } from './extract-place.js';

/** Every file system that images are extracted to takes names of so many bytes (eCryptfs, the narrowest, of 143). */
const SHORT_NAME = 128;

/**
 * A selection without the names that are too long for the file system, and without what is below them: the same each time. `placer`
 * is asked for when a long name is met. Each name that is left out is told once, the first of a directory for all in it.
 */
export function withoutLongNames(
  selection: Selection,
  placer: () => Placer,
  onError: (error: ClipError) => void,
): Selection {
  const told = new Set<ByteString>();

  async function* nodes(): AsyncIterable<Node[]> {
    let refused: ByteString | undefined;
    for await (const batch of selection.nodes()) {
      yield batch.filter((node) => {
        if (refused !== undefined && isWithin(node.path, refused)) return false;
        const error = tooLong(node.path, placer);
        if (error === undefined) return true;
        refused = node.path;
        if (!told.has(refused)) onError(fsError(error, placer().locate(refused)) as ClipError);
        told.add(refused);
        return false;
      });
    }
  }
  return { nodes };
}

/** What the file system has to say against a path. It is asked without anything being made. */
function tooLong(path: ByteString, placer: () => Placer): unknown {
  if (path.length <= SHORT_NAME) return undefined;
  const names = path.split('/').filter((name) => name.length > SHORT_NAME) as ByteString[];
  // Directories that are not there yet keep the file system from looking at what is below them: each name is asked for in the folder.
  for (const each of [path, ...names]) {
    try {
      fs.lstatSync(placer().locate(each));
    } catch (error) {
      if (errnoOf(error) === 'ENAMETOOLONG') return error;
    }
  }
  return undefined;
}
