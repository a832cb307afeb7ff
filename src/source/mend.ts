import { CODES, EXIT, isClipError } from '../errors.js';

/** Once more where the bytes did not hold because the source's own copy was damaged, and it could be mended. */
export async function twice<T>(
  act: () => Promise<T>,
  mend: (() => Promise<boolean>) | undefined,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!isClipError(error) || CODES[error.code] !== EXIT.integrity || !(await mend?.())) throw error;
    return await act();
  }
}
