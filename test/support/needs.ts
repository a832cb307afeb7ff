import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';

const known = new Map<string, boolean>();

/** Is this program on the PATH? */
export function has(program: string): boolean {
  let found = known.get(program);
  if (found === undefined) {
    found = spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
    known.set(program, found);
  }
  return found;
}

/**
 * Skips the test, visibly, when one of the programs is missing; .ci/run installs them all and fails on such a skip.
 * Returns false when the test should return at once.
 */
export function needs(t: TestContext, ...programs: string[]): boolean {
  const missing = programs.filter((program) => !has(program));
  if (missing.length > 0) t.skip(`needs ${missing.join(', ')}`);
  return missing.length === 0;
}
