/** Where logins come from, in order: the environment, podman's and skopeo's auth files, docker's config. */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { ClipError } from '../../errors.js';
import { type AuthFile, lookupKeys, normaliseKey, OLD_FILE, readAuthFile } from './auth-file.js';
import type { CredentialFinder, Credentials } from './credentials.js';
import { runHelper } from './helper.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** A finder over the files that `environment` names. Files are read when first asked for, and once. */
export function createCredentialFinder(environment: Environment = process.env): CredentialFinder {
  let files: Promise<(AuthFile | undefined)[]> | undefined;
  return async (registry, repository) => {
    const given = fromEnvironment(environment);
    if (given !== undefined) return given;
    files ??= Promise.all(authFilePaths(environment).map(readAuthFile));
    for (const file of await files) {
      const found = file === undefined ? undefined : await fromFile(file, registry, repository);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

function fromEnvironment(environment: Environment): Credentials | undefined {
  const { CLIP_USERNAME: username = '', CLIP_PASSWORD: password = '' } = environment;
  if (username === '' && password === '') return undefined;
  if (username !== '' && password !== '') return { kind: 'password', username, password };
  throw new ClipError('USAGE', 'only one of CLIP_USERNAME and CLIP_PASSWORD is set', {
    hint: 'set both or neither',
  });
}

/** REGISTRY_AUTH_FILE alone where it is set, as podman has it; else podman's places, then docker's. */
export function authFilePaths(environment: Environment): string[] {
  const { REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, DOCKER_CONFIG } = environment;
  if (REGISTRY_AUTH_FILE) return [REGISTRY_AUTH_FILE];
  const home = environment.HOME || homedir();
  const uid = process.getuid?.();
  const runtime = XDG_RUNTIME_DIR || (uid === undefined ? undefined : `/run/user/${uid}`);
  const docker = join(DOCKER_CONFIG || join(home, '.docker'), 'config.json');
  const podman = join(XDG_CONFIG_HOME || join(home, '.config'), 'containers', 'auth.json');
  const session = [
    ...(runtime === undefined ? [] : [join(runtime, 'containers', 'auth.json')]),
    ...(uid === undefined ? [] : [`/run/containers/${uid}/auth.json`]),
  ];
  // Who sets DOCKER_CONFIG means it: it goes before what may lie around from another tool.
  const old = join(home, OLD_FILE);
  return DOCKER_CONFIG ? [docker, ...session, podman, old] : [...session, podman, docker, old];
}

async function fromFile(
  file: AuthFile,
  registry: string,
  repository: string,
): Promise<Credentials | undefined> {
  const keys = lookupKeys(registry, repository);
  const helper = keys.map((key) => findKey(file.credHelpers, key)).find((name) => name !== undefined);
  if (helper !== undefined) {
    const found = await runHelper(helper, registry);
    if (found !== undefined) return found;
  }
  const entry = keys.map((key) => findKey(file.auths, key)).find((found) => found !== undefined);
  if (entry !== undefined) return entry;
  return file.credsStore === undefined ? undefined : await runHelper(file.credsStore, registry);
}

function findKey<T>(map: ReadonlyMap<string, T>, key: string): T | undefined {
  const exact = map.get(key);
  if (exact !== undefined) return exact;
  for (const [written, value] of map) if (normaliseKey(written) === key) return value;
  return undefined;
}
