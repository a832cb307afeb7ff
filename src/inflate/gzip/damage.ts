import { ClipError } from '../../errors.js';

/** The error of every gzip stream that cannot be decoded. */
export function damaged(what: string): ClipError {
  return new ClipError('CORRUPT_LAYER', `gzip: ${what}`);
}
