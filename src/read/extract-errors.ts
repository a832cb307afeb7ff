import { bytesToByteString } from '../bytes.js';
import { errnoOf, isDiskFull } from '../errno.js';
import { ClipError } from '../errors.js';
import { escapeName } from '../escape.js';

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOTEMPTY: 'a directory that is not empty stands there',
  EEXIST: 'a directory that is not empty stands there',
  ENAMETOOLONG: 'the name is too long for this file system',
  EILSEQ: 'this file system does not take the name',
  EFBIG: 'the file is too large for this file system, or for the limit of this session (ulimit -f)',
  EMLINK: 'too many hard links',
  EBUSY: 'something is mounted there',
  ENOENT: 'its folder is not there',
  ELOOP: 'a link stands where a directory or file was put a moment ago',
};

const LEAVE_OUT = 'name the paths that you want, or a glob, and leave this one out; clip cat reads it';

/** What another folder of the same file system would not help against. */
const HINTS: Record<string, string> = {
  ENAMETOOLONG: 'extract to a file system that takes it; clip cat reads it',
  EILSEQ: LEAVE_OUT,
  EFBIG: `raise the limit or extract to another file system, or ${LEAVE_OUT}`,
};

/**
 * A failure of a file operation as a ClipError: NO_SPACE or IO, naming the path. Other errors pass as they are. `hint`: for what is no
 * file of an image.
 */
export function fsError(error: unknown, path: Buffer, hint?: string): unknown {
  const code = errnoOf(error);
  if (error instanceof ClipError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const name = escapeName(bytesToByteString(path));
  if (isDiskFull(error)) {
    return new ClipError('NO_SPACE', `no space left to write ${name}`, {
      hint: hint ?? 'free some space or extract elsewhere',
      cause: error,
    });
  }
  return new ClipError('IO', `cannot write ${name}: ${REASONS[code] ?? code}`, {
    hint: hint ?? HINTS[code] ?? 'extract into an empty folder that you may write',
    cause: error,
  });
}
