import { type SpawnOptions, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The checkout (compiled tests live in dist/test/support). */
export const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
/** The bundled image, as an argument of clip. */
export const bundled = `oci:${join(root, 'fixtures/debian-small')}`;

export interface Run {
  status: number | null;
  stdout: Buffer;
  stderr: string;
}

/** Runs a program to its end and keeps what it printed. */
export function run(
  program: string,
  args: readonly string[],
  options: SpawnOptions & { input?: string | Uint8Array } = {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const { input, ...rest } = options;
    const child = spawn(program, args, { ...rest, stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout!.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr!.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin!.on('error', () => {});
    child.stdin!.end(input);
    child.on('error', reject);
    child.on('close', (status) =>
      resolve({ status, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString('utf8') }),
    );
  });
}

/** The built program, with a cache folder and a home of its own and nothing of the user's CLIP_ variables. */
export function clip(
  args: readonly string[],
  { cacheDir, env = {}, ...options }: SpawnOptions & { cacheDir: string; input?: string | Uint8Array },
): Promise<Run> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('CLIP_'));
  return run(process.execPath, [join(root, 'bin/clip.js'), ...args], {
    ...options,
    env: {
      ...Object.fromEntries(inherited),
      HOME: cacheDir,
      CLIP_CACHE_DIR: cacheDir,
      // Newer Nodes keep compiled code below HOME: here that is the folder whose files are counted.
      NODE_DISABLE_COMPILE_CACHE: '1',
      ...env,
    },
  });
}

/** A folder that is gone when the test ends. */
export async function tempDir(t: Pick<TestContext, 'after'>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'clip-test-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** The receipt: the last line on stderr under `--stats json`. */
export function receiptOf({
  stderr,
}: Run): Record<string, never> & { requests: number; [field: string]: unknown } {
  const line = stderr.trimEnd().split('\n').at(-1) ?? '';
  return JSON.parse(line);
}
