import { ClipError, type ErrorCode } from './errors.js';

/** An error as it crosses threads: a structured clone would lose the class and the code. */
export interface SentError {
  code: ErrorCode | undefined;
  message: string;
  hint: string | undefined;
  stack: string | undefined;
}

export function packError(error: unknown): SentError {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const clip = error instanceof ClipError ? error : undefined;
  return { code: clip?.code, message, hint: clip?.hint, stack };
}

export function unpackError({ code, message, hint, stack }: SentError): Error {
  const error =
    code === undefined
      ? new Error(message)
      : new ClipError(code, message, hint === undefined ? {} : { hint });
  if (stack !== undefined) error.stack = stack;
  return error;
}
