/**
 * Certificates of single registries, in directories that docker, podman and skopeo read (containers-certs.d(5)):
 * `HOST[:PORT]/*.crt` are CAs, `NAME.cert` and `NAME.key` a client certificate.
 */

import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from '../errno.js';
import { ClipError } from '../errors.js';
import type { Environment } from './proxy.js';

export interface HostCertificates {
  /** PEM. */
  ca: Buffer[];
  cert?: Buffer[];
  key?: Buffer[];
}

const SYSTEM = ['/etc/containers/certs.d', '/etc/docker/certs.d'];

/** The directories in the order in which podman looks; the first that knows a host decides for it. */
export function certificateFolders(environment: Environment): string[] {
  const home = environment.HOME || homedir();
  const config = environment.XDG_CONFIG_HOME || join(home, '.config');
  return [join(config, 'containers/certs.d'), ...SYSTEM, join(home, '.docker/certs.d')];
}

/** What is configured for an origin, or undefined. Throws IO for a file that is no certificate or a half of a pair. */
export function readHostCertificates(url: URL, folders: readonly string[]): HostCertificates | undefined {
  for (const folder of folders) {
    for (const name of namesOf(url)) {
      const directory = join(folder, name);
      const files = list(directory);
      if (files !== undefined) return readDirectory(directory, files);
    }
  }
  return undefined;
}

/** As a reference names the host. A host that would lead out of the folder is no name. */
function namesOf(url: URL): string[] {
  if (!/^[a-z0-9[]/i.test(url.hostname)) return [];
  const names = url.port === '' ? [url.hostname, `${url.hostname}:443`] : [url.host];
  return url.hostname === 'registry-1.docker.io' ? [...names, 'docker.io'] : names;
}

function list(directory: string): string[] | undefined {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    const code = errnoOf(error) ?? '';
    // One that may not be read is passed over, as podman does.
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(code)) return undefined;
    throw unreadable(directory, error);
  }
}

function readDirectory(directory: string, files: readonly string[]): HostCertificates {
  const ca: Buffer[] = [];
  const cert: Buffer[] = [];
  const key: Buffer[] = [];
  for (const file of files) {
    const path = join(directory, file);
    if (file.endsWith('.crt')) ca.push(readCertificate(path));
    if (file.endsWith('.cert')) {
      cert.push(readCertificate(path));
      key.push(readPair(path, files, `${file.slice(0, -'.cert'.length)}.key`));
    }
    if (file.endsWith('.key')) readPair(path, files, `${file.slice(0, -'.key'.length)}.cert`);
  }
  return { ca, ...(cert.length > 0 && { cert, key }) };
}

function readPair(path: string, files: readonly string[], other: string): Buffer {
  if (files.includes(other)) return read(join(path, '..', other));
  throw new ClipError('IO', `${JSON.stringify(path)} stands without ${JSON.stringify(other)}`, {
    hint: 'a client certificate NAME.cert needs its NAME.key; a CA is NAME.crt',
  });
}

function readCertificate(path: string): Buffer {
  const bytes = read(path);
  try {
    new X509Certificate(bytes);
    return bytes;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): ClipError {
  return new ClipError('IO', `the certificate ${JSON.stringify(path)} cannot be read`, {
    hint: 'it has to be PEM; check its permissions, or remove it',
    cause,
  });
}
