import { ClipError, type ErrorCode } from '../errors.js';
import type { LayerJob } from './layer-scan.js';

/** To a scan thread. Chunks are transferred, not copied; `again`: the chunk's memory is wanted back. */
export type ToScan =
  | { type: 'begin'; job: LayerJob }
  | { type: 'chunk'; bytes: Uint8Array<ArrayBuffer>; again: boolean }
  | { type: 'end' };

/** From a scan thread: a chunk was consumed (and its memory comes back, to be filled again); the layer is done; it failed. */
export type FromScan =
  | { type: 'taken'; bytes: Uint8Array<ArrayBuffer> | undefined }
  | { type: 'done'; section: Uint8Array; uncompressedSize: number }
  | { type: 'failed'; error: SentError };

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
