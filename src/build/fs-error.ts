import { errnoOf, isDiskFull } from '../errno.js';
import { ClipError, type ErrorCode } from '../errors.js';

/** Turns a file system error of Node into a ClipError; `missing` is the code for ENOENT, INDEX_NOT_FOUND where an index is read. */
export function fromFsError(error: unknown, doing: string, missing: ErrorCode = 'IO'): ClipError {
  if (error instanceof ClipError) return error;
  if (isDiskFull(error)) {
    return new ClipError('NO_SPACE', `${doing}: no space left`, {
      hint: 'free some space, or choose another folder with -o or --cache-dir',
      cause: error,
    });
  }
  const code = errnoOf(error);
  const isRead = missing === 'INDEX_NOT_FOUND';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new ClipError(missing, `${doing}: no such file`, {
        hint: isRead ? 'build one with `clip index IMAGE`' : 'check the path',
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new ClipError('IO', `${doing}: permission denied (${code})`, {
        hint: isRead
          ? 'check the permissions of the file and of the folders above it'
          : 'choose a folder that you may write to with -o or --cache-dir',
        cause: error,
      });
    case 'EFBIG':
      return new ClipError('IO', `${doing}: too large for the file system or for the limit of this session`, {
        hint: 'see `ulimit -f`, or choose another folder with -o or --cache-dir',
        cause: error,
      });
    default:
      return new ClipError('IO', `${doing}: ${(error as Error).message}`, {
        hint: 'check the path and the disk that it is on',
        cause: error,
      });
  }
}
