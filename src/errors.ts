/**
 * The one error type of clip, and the table that maps its codes to exit statuses (design, section 7).
 *
 * Every failure that a user can meet is a `ClipError`; anything else that escapes is a bug in clip.
 */

/** Exit statuses of the command line; documented in docs/cli.md. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  auth: 4,
  network: 5,
  integrity: 6,
  gate: 7,
  interrupted: 130,
} as const;

/** Each error code with its exit status. A new code is added here and to docs/cli.md, which a test compares. */
export const CODES = {
  FAILED: EXIT.failed,
  IO: EXIT.failed,
  NO_SPACE: EXIT.failed,
  IS_DIRECTORY: EXIT.failed,
  NOT_A_FILE: EXIT.failed,
  NOT_A_DIRECTORY: EXIT.failed,
  UNSUPPORTED: EXIT.failed,
  LIMIT: EXIT.failed,
  NO_ROOM_FOR_LAYER: EXIT.failed,
  UNSAFE_PATH: EXIT.failed,
  USAGE: EXIT.usage,
  INVALID_REFERENCE: EXIT.usage,
  NOT_FOUND: EXIT.notFound,
  PATH_NOT_FOUND: EXIT.notFound,
  LINK_LOOP: EXIT.notFound,
  DANGLING_LINK: EXIT.notFound,
  PLATFORM_NOT_FOUND: EXIT.notFound,
  INDEX_NOT_FOUND: EXIT.notFound,
  UNAUTHORIZED: EXIT.auth,
  DENIED: EXIT.auth,
  NETWORK: EXIT.network,
  TIMEOUT: EXIT.network,
  REGISTRY: EXIT.network,
  OFFLINE: EXIT.network,
  DIGEST_MISMATCH: EXIT.integrity,
  CORRUPT_INDEX: EXIT.integrity,
  NEWER_INDEX: EXIT.integrity,
  CORRUPT_LAYER: EXIT.integrity,
  CORRUPT_TAR: EXIT.integrity,
  CORRUPT_IMAGE: EXIT.integrity,
  GATE_FAILED: EXIT.gate,
  INTERRUPTED: EXIT.interrupted,
} as const;

export type ErrorCode = keyof typeof CODES;

/** Of failures that nobody foresaw. */
export const BUG_HINT =
  'this is a bug in clip: please report it with the command line and the output of --log-level debug';

/** What to do where whoever throws knows nothing better. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  FAILED: BUG_HINT,
  NOT_A_FILE: 'only regular files have bytes; clip stat shows what is there',
  LIMIT: 'no ordinary image needs so much; the limits are in docs/security.md',
  OFFLINE: 'leave out --offline',
  NETWORK: 'check the network and try again',
  DIGEST_MISMATCH: 'what serves these bytes is faulty, or they were changed: do not trust them',
  CORRUPT_INDEX: 'build the index again from the image',
  CORRUPT_LAYER: 'the layer is damaged or was written wrongly: pull the image again, or rebuild it',
  CORRUPT_TAR: 'the layer is damaged or was written wrongly: rebuild the image',
  CORRUPT_IMAGE: 'the copy is damaged: copy the image anew',
};

export interface ClipErrorOptions {
  /** What the user can do next; one sentence. Default: the code's own, where it has one. */
  hint?: string;
  cause?: unknown;
}

export class ClipError extends Error {
  override readonly name = 'ClipError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: ClipErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? HINTS[code];
  }

  get exitStatus(): number {
    return CODES[this.code];
  }
}

export function isClipError(error: unknown, code?: ErrorCode): error is ClipError {
  return error instanceof ClipError && (code === undefined || error.code === code);
}
