import { ClipError } from '../../errors.js';

/** An archive that is none, or not whole. */
export function noArchive(what: string, cause: ClipError): ClipError {
  return new ClipError('CORRUPT_TAR', `${what} is no whole tar: ${cause.message}`, {
    hint: 'is it an archive that docker, podman or skopeo saved, and whole? Then copy the image anew',
    cause,
  });
}
