import type { ByteString } from '../bytes.js';
import { ClipError, CODES, type ErrorCode, EXIT } from '../errors.js';
import { escapeName } from '../escape.js';

/** Something that does not hold, or that could not be looked at. */
export interface Problem {
  code: ErrorCode;
  about: 'manifest' | 'config' | 'layer' | 'tree' | 'file';
  /** Digest of the layer. */
  layer: string | null;
  /** Absolute, escaped. */
  path: string | null;
  message: string;
}

/** Where the checks tell what they find. */
export interface Findings {
  readonly problems: readonly Problem[];
  add(problem: Omit<Problem, 'layer' | 'path'> & { layer?: string; path?: ByteString }): void;
  /** Notes a ClipError as a problem, so that the next check can be made; anything else, and an abort, is thrown. */
  caught(error: unknown, about: { about: Problem['about']; layer?: string; path?: ByteString }): void;
}

export function createFindings(
  onProblem: ((problem: Problem) => void) | undefined,
  signal: AbortSignal | undefined,
): Findings {
  const problems: Problem[] = [];
  const findings: Findings = {
    problems,
    add({ code, about, layer, path, message }) {
      const shown = path === undefined ? null : `/${escapeName(path)}`;
      const problem: Problem = { code, about, layer: layer ?? null, path: shown, message };
      problems.push(problem);
      onProblem?.(problem);
    },
    caught(error, about) {
      signal?.throwIfAborted();
      if (!(error instanceof ClipError)) throw error;
      findings.add({ ...about, code: error.code, message: error.message });
    },
  };
  return findings;
}

/** The error to end with: the first problem of integrity decides the status, else the first of all. */
export function failureOf(problems: readonly Problem[]): ClipError | undefined {
  const integrity = problems.find(({ code }) => CODES[code] === EXIT.integrity);
  const first = integrity ?? problems[0];
  if (!first) return undefined;
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new ClipError(
    first.code,
    `${count} found: ${integrity ? 'this does not hold' : 'not all could be checked'}`,
    {
      hint: integrity
        ? 'if the index is at fault, build it anew with --index build; if a blob is, fetch the image from elsewhere'
        : 'mend what is named above and try again',
    },
  );
}
