/**
 * Auth files: docker's `config.json` and containers-auth.json(5) have one shape. Entries are looked up as both tools do:
 * the repository, then its parents, then the registry.
 */

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { errnoOf } from '../../errno.js';
import { ClipError } from '../../errors.js';
import type { Credentials } from './credentials.js';

const MAX_FILE = 1 << 20;

type Json = Readonly<Record<string, unknown>>;

export interface AuthFile {
  /** Keys as written: `host`, `https://host/v1/`, `host/repository`. */
  auths: ReadonlyMap<string, Credentials>;
  /** Registry → name of its helper program. */
  credHelpers: ReadonlyMap<string, string>;
  credsStore: string | undefined;
}

/** The file of docker before 1.7, which holds what is `auths` in later ones, and nothing else. */
export const OLD_FILE = '.dockercfg';

/** Reads an auth file; undefined where there is none. Throws IO for one that cannot be read and USAGE for a wrong one, without quoting it. */
export async function readAuthFile(path: string): Promise<AuthFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ClipError('IO', `the login file ${path} cannot be read (${code ?? 'unknown'})`, {
      hint: 'check its permissions',
    });
  }
  try {
    if (text.length > MAX_FILE) throw new RangeError('too large');
    const document = JSON.parse(text) as unknown;
    return parseAuthFile(basename(path) === OLD_FILE ? { auths: document } : document);
  } catch {
    // The parser's message would quote the file, and with it a secret.
    throw new ClipError('USAGE', `the login file ${path} is not valid`, { hint: 'repair or remove it' });
  }
}

function parseAuthFile(value: unknown): AuthFile {
  const document = asJson(value);
  if (document === undefined) throw new TypeError('not an object');
  const auths = new Map<string, Credentials>();
  for (const [key, entry] of Object.entries(asJson(document.auths) ?? {})) {
    const credentials = parseEntry(asJson(entry) ?? {});
    if (credentials !== undefined) auths.set(key, credentials);
  }
  const helpers = Object.entries(asJson(document.credHelpers) ?? {});
  return {
    auths,
    credHelpers: new Map(helpers.filter((pair): pair is [string, string] => typeof pair[1] === 'string')),
    credsStore: nonEmpty(document.credsStore),
  };
}

function parseEntry(entry: Json): Credentials | undefined {
  const bearer = nonEmpty(entry.registrytoken);
  if (bearer !== undefined) return { kind: 'bearer', token: bearer };
  const identity = nonEmpty(entry.identitytoken);
  if (identity !== undefined) return { kind: 'identity', token: identity };
  const username = nonEmpty(entry.username);
  const password = nonEmpty(entry.password);
  if (username !== undefined && password !== undefined) return { kind: 'password', username, password };
  const auth = nonEmpty(entry.auth);
  if (auth === undefined) return undefined;
  const decoded = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = decoded.indexOf(':');
  if (colon <= 0) return undefined;
  return { kind: 'password', username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

function asJson(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Keys under which a repository's login may stand, most specific first: `host/a/b`, `host/a`, `host`. */
export function lookupKeys(registry: string, repository: string): string[] {
  const parts = repository.split('/');
  return [...parts.map((_, i) => `${registry}/${parts.slice(0, parts.length - i).join('/')}`), registry];
}

/** A key as docker and its predecessors wrote it, reduced to host and path: `https://index.docker.io/v1/` is `docker.io`. */
export function normaliseKey(key: string): string {
  const bare = key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/+$/, '');
  return /^(?:index|registry-1)\.docker\.io$/.test(bare) ? 'docker.io' : bare;
}
