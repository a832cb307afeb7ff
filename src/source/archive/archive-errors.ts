import { ClipError } from '../../errors.js';

/** The file name that stands for standard input. */
export const STDIN = '-';

/** What errors call the archive that the user named so. */
export function whatIs(named: string): string {
  return named === STDIN ? 'standard input' : `the archive ${JSON.stringify(named)}`;
}

/** An archive that is none, or not whole. */
export function noArchive(what: string, cause: ClipError): ClipError {
  return new ClipError('CORRUPT_TAR', `${what} is no whole tar: ${cause.message}`, {
    hint: 'is it an archive that docker, podman or skopeo saved, and whole? Then copy the image anew',
    cause,
  });
}
