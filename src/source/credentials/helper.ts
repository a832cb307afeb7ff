/** Credential helper programs (docker-credential-helpers): `docker-credential-NAME get`, the registry on stdin, JSON back. */

import { ClipError } from '../../errors.js';
import { giveUp } from '../../http/errors.js';
import type { Credentials } from './credentials.js';

const HELPER_TIMEOUT = 20_000;
const MAX_OUTPUT = 64 << 10;
/** What docker asks for Docker Hub's login by; podman and skopeo ask by the name of the registry. */
const HUB_KEY = 'https://index.docker.io/v1/';
/** What helpers print, with a failing status, when they have no login for the registry. */
const NOT_FOUND =
  /credentials not found in native keychain|no credentials (?:server URL|username)|not found/i;

/**
 * Asks a helper; undefined if it has no login. Run without a shell, its output bounded, killed after `timeout` milliseconds.
 * Throws USAGE for a name that is none, UNAUTHORIZED (helper missing, failed or answering nonsense) or TIMEOUT, neither of which is
 * worth another try; the helper's output is never quoted.
 */
export async function runHelper(
  name: string,
  registry: string,
  timeout = HELPER_TIMEOUT,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new ClipError('USAGE', `${JSON.stringify(name)} is no name of a credential helper`, {
      hint: 'mend credHelpers or credsStore in the Docker config file',
    });
  }
  for (const server of registry === 'docker.io' ? [HUB_KEY, registry] : [registry]) {
    const { status, output } = await run(program, server, timeout);
    if (status !== 0 && !NOT_FOUND.test(output)) throw helperError(program, `failed with status ${status}`);
    const found = status === 0 ? parseAnswer(program, output) : undefined;
    if (found) return found;
  }
  return undefined;
}

async function run(
  program: string,
  input: string,
  timeout: number,
): Promise<{ status: number; output: string }> {
  // Few registries are reached through a helper, and this costs every other request 4 ms of its start.
  const { spawn } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      shell: false,
      windowsHide: true,
    });
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      child.stdout.destroy();
      reject(error);
    };
    const timer = setTimeout(() => {
      const hint = 'does it wait for a prompt? Log in by hand, or remove the helper';
      const text = `${program} did not answer within ${timeout / 1000} s`;
      fail(giveUp(new ClipError('TIMEOUT', text, { hint })));
    }, timeout);
    child.on('error', (cause: NodeJS.ErrnoException) => {
      fail(
        helperError(program, cause.code === 'ENOENT' ? 'is not installed' : `cannot be run (${cause.code})`),
      );
    });
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_OUTPUT) fail(helperError(program, 'printed too much'));
      else chunks.push(chunk);
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status: status ?? -1, output: Buffer.concat(chunks).toString('utf8') });
    });
    // A helper that does not read its input closes the pipe; its answer counts.
    child.stdin.on('error', () => {});
    child.stdin.end(`${input}\n`);
  });
}

function parseAnswer(program: string, output: string): Credentials | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    throw helperError(program, 'answered something else than JSON');
  }
  if (typeof answer !== 'object' || answer === null)
    throw helperError(program, 'answered something else than an object');
  const { Username: username, Secret: secret } = answer as Record<string, unknown>;
  if (typeof username !== 'string' || typeof secret !== 'string') {
    throw helperError(program, 'answered without Username and Secret');
  }
  if (username === '' && secret === '') return undefined;
  // The helpers' way to say that the secret is an identity token.
  if (username === '<token>') return { kind: 'identity', token: secret };
  return { kind: 'password', username, password: secret };
}

function helperError(program: string, what: string): ClipError {
  return new ClipError('UNAUTHORIZED', `the credential helper ${program} ${what}`, {
    hint: 'run it by hand, or set CLIP_USERNAME and CLIP_PASSWORD',
  });
}
