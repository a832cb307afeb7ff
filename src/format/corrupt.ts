import { ClipError } from '../errors.js';

/** Where in an index, e.g. `section 2, entries block 7`. */
export function corruptIndex(where: string, what: string, cause?: unknown): ClipError {
  return new ClipError('CORRUPT_INDEX', `index is corrupt: ${where}: ${what}`, {
    hint: 'build it anew with `clip index`, or fetch it again from where it came',
    cause,
  });
}

/** What was taken for an index: often an archive that was named without its transport. */
export function noIndex(where: string): ClipError {
  return new ClipError('CORRUPT_INDEX', `index is corrupt: ${where}: this is no clip index`, {
    hint: 'an image in a file is named by its kind: docker-archive:FILE, oci-archive:FILE or tar:FILE; an index is built with `clip index`',
  });
}

/** The index is fine, as far as this clip can tell, but made by a later format. */
export function newerIndex(where: string, what: string): ClipError {
  return new ClipError('NEWER_INDEX', `index is newer than this clip: ${where}: ${what}`, {
    hint: 'update clip, or build the index anew with this clip: `clip index`',
  });
}

/** The image holds something that the format does not carry. */
export function beyondLimit(what: string): ClipError {
  return new ClipError('LIMIT', `cannot index this image: ${what}`, {
    hint: 'docs/format.md lists the limits of the index format',
  });
}

/** The caller of an encoder broke its contract: a bug in clip, not a fault of the image. */
export function misuse(what: string): RangeError {
  return new RangeError(`index encoder: ${what}`);
}

/** Where something is encoded millions of times, `misuse` saves making the words for it. */
export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw misuse(what);
}
