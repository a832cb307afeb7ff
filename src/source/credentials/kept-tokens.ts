/**
 * Registry tokens for the next process (`--keep-token`), one file each, until they expire. They lie where the system keeps what
 * lives as long as a login does (XDG Base Directory Specification, `XDG_RUNTIME_DIR`), never in the cache, which may be shared or
 * saved: mode 0600 in folders of mode 0700 that are the user's own. Without such a place there is none: a token that cannot be
 * kept is fetched again, which is nobody's error.
 */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { makeFolder } from '../../cache/make-folder.js';
import { WITHOUT_WAITING } from '../../cache/open-flags.js';
import type { Credentials } from './credentials.js';

export interface KeptToken {
  value: string;
  /** Milliseconds since the epoch from which on it is not used any more. */
  expires: number;
}

/** What a token is for. With another login, or for other actions, it is another token. */
export interface TokenUse {
  registry: string;
  repository: string;
  actions: string;
  credentials: Credentials | undefined;
}

export interface TokenKeeper {
  /** The token of an earlier process, unless it has expired. */
  recall(use: TokenUse): KeptToken | undefined;
  keep(use: TokenUse, token: KeptToken): void;
}

/** More than any token that could stand in a header, and a day: no token is kept for longer, and what claims more was not kept by us. */
const MAX_FILE = 1 << 20;
const MAX_LIFE = 24 * 60 * 60 * 1000;

export function createTokenKeeper(environment: Readonly<Record<string, string | undefined>>): TokenKeeper {
  const folder = join(runtimeFolder(environment), 'clip-tokens');
  const place = (use: TokenUse) => join(folder, nameOf(use));

  return {
    recall(use) {
      try {
        if (!isOwn(folder, 'folder')) return undefined;
        const token = readToken(place(use));
        if (token && token.expires > Date.now()) return token;
        fs.unlinkSync(place(use));
      } catch {
        // There is none.
      }
      return undefined;
    },
    keep(use, token) {
      const { value } = token;
      const expires = Math.min(token.expires, Date.now() + MAX_LIFE);
      const temporary = join(folder, `.${randomBytes(8).toString('hex')}`);
      try {
        makeFolder(folder, 0o700);
        if (!isOwn(folder, 'folder')) return;
        dropExpired(folder);
        fs.writeFileSync(temporary, JSON.stringify({ value, expires }), { flag: 'wx', mode: 0o600 });
        fs.renameSync(temporary, place(use));
      } catch {
        tryRemove(temporary);
      }
    },
  };
}

/** A token that is not kept is fetched again. */
function tryRemove(path: string): void {
  try {
    fs.rmSync(path, { force: true });
  } catch {
    // `force` is about what is not there, not about a folder that nobody may enter.
  }
}

/** Where there is no session, as in most containers, a folder that only this user can enter. */
function runtimeFolder({ XDG_RUNTIME_DIR }: Readonly<Record<string, string | undefined>>): string {
  if (XDG_RUNTIME_DIR && isAbsolute(XDG_RUNTIME_DIR)) return XDG_RUNTIME_DIR;
  const uid = process.getuid?.() ?? 0;
  const session = `/run/user/${uid}`;
  return fs.existsSync(session) ? session : join(tmpdir(), `clip-runtime-${uid}`);
}

/** The login is part of the name, so that who logs in as somebody else, or logs out, does not go on with the old token. */
function nameOf({ registry, repository, actions, credentials }: TokenUse): string {
  return createHash('sha256')
    .update(JSON.stringify([registry, repository, actions, credentials ?? null]))
    .digest('hex');
}

/** Not through a link, and without waiting for who writes to a pipe. */
const TOKEN_FILE = WITHOUT_WAITING | fs.constants.O_NOFOLLOW;

function readToken(path: string): KeptToken | undefined {
  const file = fs.openSync(path, TOKEN_FILE);
  try {
    const { size } = fs.fstatSync(file);
    if (size > MAX_FILE || !isOwn(file, 'file')) return undefined;
    const { value, expires } = JSON.parse(fs.readFileSync(file, 'utf8')) as Partial<KeptToken>;
    const isSane = typeof expires === 'number' && expires <= Date.now() + MAX_LIFE;
    // As in an answer of a token server: anything else could not stand in a header.
    return isSane && typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)
      ? { value, expires }
      : undefined;
  } finally {
    fs.closeSync(file);
  }
}

/** Nobody else owns it, and nobody else can look into it. */
function isOwn(place: string | number, kind: 'folder' | 'file'): boolean {
  const stats = typeof place === 'number' ? fs.fstatSync(place) : fs.lstatSync(place);
  const isKind = kind === 'folder' ? stats.isDirectory() : stats.isFile();
  return isKind && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0;
}

function dropExpired(folder: string): void {
  for (const name of fs.readdirSync(folder)) {
    const path = join(folder, name);
    if (fs.lstatSync(path).mtimeMs < Date.now() - MAX_LIFE) fs.rmSync(path, { force: true });
  }
}
