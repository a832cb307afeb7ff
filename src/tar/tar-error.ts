import { ClipError } from '../errors.js';

/** A tar that is not what it says; `at` is the offset in the uncompressed tar stream, bytes. */
export function corruptTar(what: string, at: number): ClipError {
  return new ClipError('CORRUPT_TAR', `corrupt tar: ${what} at offset ${at}`, {
    hint: 'the layer is damaged or was written wrongly; rebuild the image, or check it with `tar -tvf`',
  });
}

/** A tar that asks for more than clip gives; `at` as in `corruptTar`. */
export function tarLimit(what: string, at: number): ClipError {
  return new ClipError('LIMIT', `tar over a limit: ${what} at offset ${at}`, {
    hint: 'no real layer needs this much; the image may be hostile',
  });
}

/** A tar form that has no meaning in an image layer; `at` as in `corruptTar`. */
export function unsupportedTar(what: string, at: number): ClipError {
  return new ClipError('UNSUPPORTED', `unsupported tar: ${what} at offset ${at}`, {
    hint: 'container engines do not unpack it either; rebuild the layer with a common tar',
  });
}
