/**
 * Debian's docker-registry on a loopback port, for tests against a real server.
 *
 *   if (missingPrograms('docker-registry', 'skopeo')) return t.skip('needs docker-registry and skopeo');
 *   const registry = await startDockerRegistry();
 *   t.after(() => registry.stop());
 *   await copyToRegistry(layout, `${registry.host}/repo:tag`);
 */

import { execFile, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { makeCertificate } from './certificate.js';
import { freePort, startServerProcess } from './server-process.js';

export interface DockerRegistry {
  /** `127.0.0.1:PORT`. */
  host: string;
  /** PEM of the certificate that the server shows (TLS only). */
  certificate: string | undefined;
  /** Folder that it stores blobs in. */
  data: string;
  stop(): Promise<void>;
}

export interface DockerRegistryOptions {
  /** Basic authentication with this user and password. */
  htpasswd?: { username: string; password: string };
  /** HTTPS with a self-signed certificate. */
  tls?: boolean;
}

/** The first of these programs that is not in PATH, or undefined. */
export function missingPrograms(...names: string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.find((name) => !folders.some((folder) => existsSync(join(folder, name))));
}

export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'clip-registry-'));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const certificate = options.tls === true ? await makeCertificate(folder) : undefined;
  const lines = [
    'version: 0.1',
    'log: {level: error, accesslog: {disabled: true}}',
    `storage: {filesystem: {rootdirectory: ${JSON.stringify(join(folder, 'data'))}}, delete: {enabled: true}}`,
    `http: {addr: '${host}'${certificate === undefined ? '' : `, tls: {certificate: ${JSON.stringify(certificate.certFile)}, key: ${JSON.stringify(certificate.keyFile)}}`}}`,
  ];
  if (options.htpasswd !== undefined) {
    const path = join(folder, 'htpasswd');
    const { username, password } = options.htpasswd;
    const { stdout } = await promisify(execFile)('htpasswd', ['-Bbn', username, password]);
    await writeFile(path, stdout);
    lines.push(`auth: {htpasswd: {realm: test, path: ${JSON.stringify(path)}}}`);
  }
  const config = join(folder, 'config.yml');
  await writeFile(config, `${lines.join('\n')}\n`);
  const server = await startServerProcess({
    program: 'docker-registry',
    args: ['serve', config],
    port,
    env: { PATH: process.env.PATH ?? '' },
  });
  return {
    host,
    certificate: certificate?.cert,
    data: join(folder, 'data'),
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Pushes an image of a layout (`DIR:TAG`) with skopeo. */
export async function copyToRegistry(
  layout: string,
  target: string,
  options: { username?: string; password?: string; from?: string; all?: boolean } = {},
): Promise<void> {
  const login =
    options.username === undefined ? [] : ['--dest-creds', `${options.username}:${options.password}`];
  await run('skopeo', [
    'copy',
    '--quiet',
    ...(options.all === true ? ['--all'] : []),
    '--dest-tls-verify=false',
    ...login,
    options.from ?? `oci:${layout}`,
    `docker://${target}`,
  ]);
}

/** Runs a program to its end; throws with what it said on a failure. */
export function run(program: string, args: string[], options: SpawnOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr!.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(output);
      else reject(new Error(`${program} ${args.join(' ')}: status ${status}: ${errors}`));
    });
  });
}
