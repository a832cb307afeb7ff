/**
 * What podman and skopeo are told about registries (containers-registries.conf(5), version 2): other locations, mirrors, registries
 * that are blocked or insecure. Short names are not looked up here: `debian` is Docker Hub's, as with docker.
 */

import fs from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from '../../errno.js';
import { ClipError } from '../../errors.js';
import type { RegistryReference } from '../../reference/image-ref.js';
import { quote } from '../../reference/invalid.js';

export interface RegistryRule {
  /** `host[:port][/path…]`, `host[:port]/repository(:tag|@digest)`, or `*.domain`. */
  prefix: string;
  /** What takes the place of the prefix. */
  location: string | undefined;
  insecure: boolean;
  blocked: boolean;
  mirrors: readonly MirrorRule[];
}

export interface MirrorRule {
  location: string;
  insecure: boolean;
  pull: 'all' | 'digest-only' | 'tag-only';
}

type Environment = Readonly<Record<string, string | undefined>>;
type Table = Readonly<Record<string, unknown>>;

/**
 * The rules of all files; a later one for the same prefix takes the place of an earlier. Throws USAGE for a file that is wrong or cannot be
 * read, since what it blocks would be asked otherwise.
 */
export async function readRegistriesConf(environment: Environment): Promise<RegistryRule[]> {
  const rules = new Map<string, RegistryRule>();
  const { CONTAINERS_REGISTRIES_CONF: named } = environment;
  for (const path of named ? [named] : configurationFiles(environment)) {
    const text = readText(path);
    if (text === undefined && named) {
      throw new ClipError(
        'USAGE',
        `CONTAINERS_REGISTRIES_CONF names ${JSON.stringify(path)}, which is not there`,
        {
          hint: 'correct the variable, or unset it',
        },
      );
    }
    if (text === undefined) continue;
    for (const rule of await parseRules(text, path)) rules.set(rule.prefix, rule);
  }
  return [...rules.values()];
}

/** The rule with the longest prefix of the reference. */
export function findRule(
  rules: readonly RegistryRule[],
  { registry, repository, tag, digest }: RegistryReference,
): RegistryRule | undefined {
  const name = `${registry}/${repository}`;
  let found: RegistryRule | undefined;
  for (const rule of rules) {
    const { prefix } = rule;
    const isExact = prefix === `${name}:${tag}` || prefix === `${name}@${digest}`;
    if ((isExact || covers(prefix, name)) && rule.prefix.length > (found?.prefix.length ?? -1)) found = rule;
  }
  return found;
}

function covers(prefix: string, name: string): boolean {
  if (prefix.startsWith('*.')) {
    const host = name.slice(0, name.indexOf('/')).replace(/:[0-9]+$/, '');
    return host.endsWith(prefix.slice(1));
  }
  return name === prefix || name.startsWith(`${prefix}/`);
}

/** A file of a few lines, read in the blink that node:fs/promises takes to load. */
function readText(path: string): string | undefined {
  return unlessMissing(path, () => fs.readFileSync(path, 'utf8'));
}

/** Undefined where there is no such file or folder; one that is there has to be read. */
function unlessMissing<T>(path: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = errnoOf(error) ?? 'unknown';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ClipError('USAGE', `${JSON.stringify(path)} cannot be read (${code})`, {
      hint: 'check its permissions, or name another registries.conf with CONTAINERS_REGISTRIES_CONF',
      cause: error,
    });
  }
}

function configurationFiles(environment: Environment): string[] {
  const own = join(
    environment.XDG_CONFIG_HOME || join(environment.HOME || homedir(), '.config'),
    'containers',
  );
  const system = '/etc/containers/registries.conf';
  const systemFolder = '/etc/containers/registries.conf.d';
  if (isOthers(own)) return [system, ...configurationsIn(systemFolder)];
  const main = join(own, 'registries.conf');
  const first = readText(main) === undefined ? system : main;
  const folders = [systemFolder, join(own, 'registries.conf.d')];
  return [first, ...folders.flatMap(configurationsIn)];
}

/** A home that this user may not look into, as after `su`, is somebody else's; a folder of the user's own is theirs to open. */
function isOthers(folder: string): boolean {
  try {
    fs.accessSync(folder, fs.constants.R_OK | fs.constants.X_OK);
    return false;
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') return false;
  }
  try {
    return fs.statSync(folder).uid !== process.geteuid?.();
  } catch {
    return true;
  }
}

function configurationsIn(folder: string): string[] {
  const found = unlessMissing(folder, () => fs.readdirSync(folder, { withFileTypes: true })) ?? [];
  return found
    .filter((entry) => entry.name.endsWith('.conf') && !entry.isDirectory())
    .map(({ name }) => join(folder, name))
    .sort();
}

async function parseRules(text: string, path: string): Promise<RegistryRule[]> {
  const { parse } = await import('smol-toml');
  let document: Table;
  try {
    document = parse(text);
  } catch (error) {
    const [line = ''] = (error instanceof Error ? error.message : '').split('\n');
    throw wrong(path, line.replace(/^Invalid TOML document: /, ''), error);
  }
  // Version 1 of the format, which is not read but for what it forbids.
  const { block } = (document.registries ?? {}) as Table;
  if (block !== undefined)
    throw wrong(path, '[registries.block] is of version 1; block a [[registry]] instead');
  return tables(document.registry, path).map((table) => parseRule(table, path));
}

function parseRule(table: Table, path: string): RegistryRule {
  const location = text(table, 'location', path);
  const prefix = text(table, 'prefix', path) ?? location;
  if (prefix === undefined) throw wrong(path, 'a [[registry]] has neither prefix nor location');
  if (location === undefined && !prefix.startsWith('*.') && text(table, 'prefix', path) === undefined)
    throw wrong(path, `the registry ${quote(prefix)} has no location`);
  const digestOnly = flag(table, 'mirror-by-digest-only', path);
  const mirrors = tables(table.mirror, path).map((mirror): MirrorRule => {
    const place = text(mirror, 'location', path);
    if (place === undefined) throw wrong(path, `a mirror of ${quote(prefix)} has no location`);
    const pull = text(mirror, 'pull-from-mirror', path) ?? (digestOnly ? 'digest-only' : 'all');
    if (pull !== 'all' && pull !== 'digest-only' && pull !== 'tag-only')
      throw wrong(path, `pull-from-mirror is ${quote(pull)}`);
    return { location: place, insecure: flag(mirror, 'insecure', path), pull };
  });
  return {
    prefix,
    location,
    insecure: flag(table, 'insecure', path),
    blocked: flag(table, 'blocked', path),
    mirrors,
  };
}

function tables(value: unknown, path: string): Table[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null))
    return value as Table[];
  throw wrong(path, 'registry and mirror are tables: [[registry]], [[registry.mirror]]');
}

function text(table: Table, key: string, path: string): string | undefined {
  const value = table[key];
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string') throw wrong(path, `${key} is not a string`);
  return value.replace(/\/+$/, '');
}

function flag(table: Table, key: string, path: string): boolean {
  const value = table[key] ?? false;
  if (typeof value !== 'boolean') throw wrong(path, `${key} is neither true nor false`);
  return value;
}

function wrong(path: string, problem: string, cause?: unknown): ClipError {
  return new ClipError('USAGE', `${JSON.stringify(path)}: ${problem}`, {
    hint: 'containers-registries.conf(5) describes the file; CONTAINERS_REGISTRIES_CONF names another',
    cause,
  });
}
