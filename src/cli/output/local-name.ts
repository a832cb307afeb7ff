import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { ClipError, type ErrorCode, isClipError } from '../../errors.js';
import { FILE_MAGIC } from '../../format/magic.js';

/** How an image that is looked for in a registry, and is not meant to be there, fails. */
const ASKED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'INVALID_REFERENCE',
  'NOT_FOUND',
  'UNAUTHORIZED',
  'DENIED',
  'NETWORK',
  'TIMEOUT',
  'OFFLINE',
]);

const HINTS = {
  folder: (name: string) => `if the folder of that name is meant, an OCI layout, write oci:${name}`,
  file: (name: string) =>
    `if the file of that name is meant, write what it is: oci-archive:${name}, docker-archive:${name} or tar:${name}`,
  index: (name: string) =>
    `that file is an index already; name the image that it is of: \`clip info ${name}\` tells it`,
} as const;

/**
 * Where a file or folder has the name that was asked for in a registry, the same error with a hint how to name that. `isTarget`: the
 * command takes an index file too, which was opened as one then.
 */
export function withLocalName(
  error: unknown,
  name: string | undefined,
  { isTarget }: { isTarget: boolean },
): unknown {
  if (name === undefined || !isClipError(error) || !ASKED.has(error.code)) return error;
  const kind = kindOf(name);
  if (kind === undefined || (kind === 'index' && isTarget)) return error;
  return new ClipError(error.code, error.message, { hint: HINTS[kind](name), cause: error });
}

/** Undefined for what cannot be an image. */
function kindOf(path: string): keyof typeof HINTS | undefined {
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) return 'folder';
    if (!stats.isFile()) return undefined;
    return isIndex(path) ? 'index' : 'file';
  } catch {
    return undefined;
  }
}

function isIndex(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    const magic = Buffer.alloc(FILE_MAGIC.length);
    readSync(fd, magic, 0, magic.length, 0);
    return magic.equals(FILE_MAGIC);
  } finally {
    closeSync(fd);
  }
}
