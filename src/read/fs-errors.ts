import { constants } from 'node:os';
import { type ClipError, isClipError } from '../errors.js';

/** Node's code and words for what can be wrong with a path. */
const WORDS = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EISDIR: 'illegal operation on a directory',
  ELOOP: 'too many symbolic links encountered',
  EINVAL: 'invalid argument',
  ENAMETOOLONG: 'name too long',
  EROFS: 'read-only file system',
  EACCES: 'permission denied',
  EBADF: 'bad file descriptor',
} as const;

export type FsErrorCode = keyof typeof WORDS;

/** An error as node:fs throws it: `code`, `errno`, `syscall` and `path`; the ClipError that it stands for is its `cause`. */
export class FsError extends Error {
  override readonly name = 'FsError';
  readonly code: FsErrorCode;
  readonly errno: number;
  readonly syscall: string;
  readonly path: string;

  constructor(code: FsErrorCode, about: { syscall: string; path: string; cause?: unknown }) {
    const { syscall, path, cause } = about;
    super(`${code}: ${WORDS[code]}, ${syscall} '${path}'`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.errno = -constants.errno[code];
    this.syscall = syscall;
    this.path = path;
  }
}

const CODES: Partial<Record<ClipError['code'], FsErrorCode>> = {
  PATH_NOT_FOUND: 'ENOENT',
  DANGLING_LINK: 'ENOENT',
  LINK_LOOP: 'ELOOP',
  IS_DIRECTORY: 'EISDIR',
  NOT_A_DIRECTORY: 'ENOTDIR',
  NOT_A_FILE: 'EINVAL',
};

/** What is wrong with the path as an FsError; anything else (network, integrity, …) stays the ClipError that it is. */
export function toFsError(error: unknown, syscall: string, path: string): unknown {
  if (!isClipError(error)) return error;
  const code = CODES[error.code];
  return code === undefined ? error : new FsError(code, { syscall, path, cause: error });
}
