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

/** Where a file or folder has the name that was asked for in a registry, the same error with a hint how to name that. */
export function withLocalName(error: unknown, target: string | undefined): unknown {
  if (target === undefined || !isClipError(error) || !ASKED.has(error.code)) return error;
  const kind = kindOf(target);
  if (kind === undefined) return error;
  const hint =
    kind === 'folder'
      ? `if the folder of that name is meant, an OCI layout, write oci:${target}`
      : `if the file of that name is meant, write what it is: oci-archive:${target}, docker-archive:${target} or tar:${target}`;
  return new ClipError(error.code, error.message, { hint, cause: error });
}

/** Undefined for what cannot be an image, as an index. */
function kindOf(path: string): 'folder' | 'file' | undefined {
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) return 'folder';
    return stats.isFile() && !isIndex(path) ? 'file' : undefined;
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
