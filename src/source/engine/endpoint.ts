/** Where the Docker or podman engine listens: what the docker and podman programs would talk to. */

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ClipError } from '../../errors.js';
import { quote, withoutLogin } from '../../reference/invalid.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export type EngineEndpoint =
  | { kind: 'socket'; path: string }
  | { kind: 'tcp'; url: URL; tls?: { ca: Buffer; cert: Buffer; key: Buffer } };

/**
 * DOCKER_HOST, else the docker program's current context (DOCKER_CONTEXT or its config), else CONTAINER_HOST, else the first socket
 * there is: docker's, the user's podman's, the system's podman's. Throws UNSUPPORTED for `ssh://` and others, USAGE for nonsense.
 */
export function findEngine(environment: Environment): EngineEndpoint {
  const { DOCKER_HOST, CONTAINER_HOST, XDG_RUNTIME_DIR } = environment;
  const named = DOCKER_HOST || contextHost(environment) || CONTAINER_HOST;
  if (named) return parseHost(named, environment);
  const docker = '/var/run/docker.sock';
  const runtime = XDG_RUNTIME_DIR || `/run/user/${process.getuid?.() ?? 0}`;
  const sockets = [docker, join(runtime, 'podman/podman.sock'), '/run/podman/podman.sock'];
  return { kind: 'socket', path: sockets.find(isSocket) ?? docker };
}

/** How an endpoint is named in messages. */
export function printEndpoint(endpoint: EngineEndpoint): string {
  return endpoint.kind === 'socket' ? endpoint.path : endpoint.url.host;
}

function parseHost(text: string, environment: Environment): EngineEndpoint {
  if (text.startsWith('unix://')) return { kind: 'socket', path: text.slice('unix://'.length) };
  if (text.startsWith('/')) return { kind: 'socket', path: text };
  if (!URL.canParse(text)) {
    throw new ClipError('USAGE', `DOCKER_HOST ${quote(withoutLogin(text))} is no address of an engine`, {
      hint: 'write unix:///PATH or tcp://HOST:PORT',
    });
  }
  const url = new URL(text);
  if (url.protocol === 'http:') return { kind: 'tcp', url };
  if (url.protocol !== 'tcp:' && url.protocol !== 'https:') {
    throw new ClipError(
      'UNSUPPORTED',
      `the engine is reached by ${quote(url.protocol)}, which clip does not speak`,
      {
        hint: 'pipe the image in: docker save IMAGE | clip index docker-archive:-',
      },
    );
  }
  const secure = url.protocol === 'https:' || Boolean(environment.DOCKER_TLS_VERIFY);
  // `tcp:` is no scheme that the URL class knows; its host cannot be given another scheme in place.
  const plain = new URL(`${secure ? 'https' : 'http'}://${text.slice(text.indexOf('//') + 2)}`);
  if (!secure) return { kind: 'tcp', url: plain };
  const folder = environment.DOCKER_CERT_PATH || dockerFolder(environment);
  try {
    const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readFileSync(join(folder, name)));
    return { kind: 'tcp', url: plain, tls: { ca: ca!, cert: cert!, key: key! } };
  } catch (error) {
    throw new ClipError('IO', `the engine's certificates in ${JSON.stringify(folder)} cannot be read`, {
      hint: 'DOCKER_CERT_PATH names the folder with ca.pem, cert.pem and key.pem',
      cause: error,
    });
  }
}

/** The address in the docker program's current context, undefined for the default one. */
function contextHost(environment: Environment): string | undefined {
  const folder = dockerFolder(environment);
  const config = readJson(join(folder, 'config.json')) as { currentContext?: unknown } | undefined;
  const name = environment.DOCKER_CONTEXT || config?.currentContext;
  if (typeof name !== 'string' || name === '' || name === 'default') return undefined;
  const hash = createHash('sha256').update(name).digest('hex');
  const meta = readJson(join(folder, 'contexts/meta', hash, 'meta.json')) as
    | { Endpoints?: { docker?: { Host?: unknown } } }
    | undefined;
  const host = meta?.Endpoints?.docker?.Host;
  return typeof host === 'string' ? host : undefined;
}

function dockerFolder(environment: Environment): string {
  return environment.DOCKER_CONFIG || join(environment.HOME || homedir(), '.docker');
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) ?? undefined;
  } catch {
    return undefined;
  }
}

function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch {
    return false;
  }
}
