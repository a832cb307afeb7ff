import { randomBytes } from 'node:crypto';
import { lstatSync, lutimesSync, readFileSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { now } from '../clock.js';
import { errnoOf } from '../errno.js';
import { makeFolder } from './make-folder.js';

/**
 * Claims keep the processes of one machine from fetching, inflating and scanning the same thing at once: who holds the claim does it, the
 * others wait for the entry to appear, and take the claim over when its holder is gone.
 *
 * A claim is a symbolic link `<spans>/claims/<name>` whose target names its holder: made in one system call with its content, never
 * torn, refused when it is there already, and needing no data block on a full disk. (A lock file that is created and then written
 * is empty for whoever looks in between, and for ever when its writer dies there; flock is not to be had in Node.)
 *
 * Claims save work and guard nothing: entries are whole and verified whoever writes them, so a claim that is lost, or taken
 * over from a holder that was only slow, costs one more inflate. That is why nothing here ever fails a read.
 */
export interface Claims {
  /**
   * True: this process has the claim now, for good or ill (also when claims do not work on this file system); each true wants one
   * `release`. False: another process has it; ask again later, and `forget` when you stop asking.
   */
  take(name: string): boolean;
  release(name: string): void;
  forget(name: string): void;
  /** Releases what is still held: work that was given up at the end may hold claims. */
  close(): void;
}

/** A holder renews its claims this often, so that it is seen to live where its process id means nothing (another container). */
const HEARTBEAT_MS = 1000;
/** No sign of life for so long, by the watcher's monotonic clock: the holder is dead or stopped. No wall clock is compared. */
const SILENT_MS = 5000;
/** How often a watcher asks whether the holder's process exists. */
const LOOK_MS = 100;

interface Held {
  holders: number;
  /** False where the claim could not be written down. */
  linked: boolean;
}

interface Watched {
  mtimeMs: number;
  /** Monotonic milliseconds. */
  changedAt: number;
  lookedAt: number;
}

/** Claims in the folder of a disk tier. `silentMs` is for tests. */
export function createClaims(spans: string, { silentMs = SILENT_MS } = {}): Claims {
  const held = new Map<string, Held>();
  const watched = new Map<string, Watched>();
  let identity: string | undefined;
  let working = true;
  let heartbeat: NodeJS.Timeout | undefined;

  const pathOf = (name: string) => join(spans, 'claims', name);

  /** Most readers never claim anything, and this takes some reading in /proc. */
  function self(): string {
    identity ??= `${whoAmI()}.${randomBytes(6).toString('hex')}`;
    return identity;
  }

  function link(path: string): 'taken' | 'busy' | 'failed' {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        symlinkSync(self(), path);
        return 'taken';
      } catch (error) {
        const code = errnoOf(error);
        if (code === 'EEXIST') return 'busy';
        if (code !== 'ENOENT' || !tryMakeParent(path)) return 'failed';
      }
    }
    return 'failed';
  }

  function hold(name: string, linked: boolean): true {
    held.set(name, { holders: 1, linked });
    watched.delete(name);
    if (linked && heartbeat === undefined) heartbeat = setInterval(renew, HEARTBEAT_MS).unref();
    return true;
  }

  function letGo(name: string, { linked }: Held): void {
    held.delete(name);
    if (linked && holderOf(pathOf(name)) === self()) removeClaim(pathOf(name));
    if (held.size > 0) return;
    clearInterval(heartbeat);
    heartbeat = undefined;
  }

  function renew(): void {
    const now = Date.now() / 1000;
    for (const [name, { linked }] of held) {
      try {
        if (linked) lutimesSync(pathOf(name), now, now);
      } catch {
        // Taken over or cleared: the others may do this work too.
      }
    }
  }

  /** Whether a claim of another process is void. Looks at the process rarely, at the heartbeat each time. */
  function isVoid(name: string, path: string, mtimeMs: number): boolean {
    const time = now();
    const seen = watched.get(name);
    if (seen?.mtimeMs !== mtimeMs) {
      watched.set(name, { mtimeMs, changedAt: time, lookedAt: time });
      return isGone(holderOf(path));
    }
    if (time - seen.changedAt > silentMs) return true;
    if (time - seen.lookedAt < LOOK_MS) return false;
    seen.lookedAt = time;
    return isGone(holderOf(path));
  }

  return {
    take(name) {
      const own = held.get(name);
      if (own) {
        own.holders++;
        return true;
      }
      if (!working || !/^[0-9a-f]{64}(?:-[0-9]+)?$/.test(name)) return hold(name, false);
      const path = pathOf(name);
      // Who waits asks often, and lstat is cheaper than a refused symlink.
      if (!watched.has(name) || claimTime(path) === undefined) {
        const result = link(path);
        if (result === 'failed') working = false;
        if (result !== 'busy') return hold(name, result === 'taken');
      }
      const mtimeMs = claimTime(path);
      if (mtimeMs === undefined || !isVoid(name, path, mtimeMs)) return false;
      return removeClaim(path) && link(path) === 'taken' && hold(name, true);
    },
    release(name) {
      const own = held.get(name);
      if (own && --own.holders === 0) letGo(name, own);
    },
    forget(name) {
      watched.delete(name);
    },
    close() {
      for (const [name, own] of held) letGo(name, own);
    },
  };
}

function tryMakeParent(path: string): boolean {
  try {
    makeFolder(dirname(path), 0o700);
    return true;
  } catch {
    return false;
  }
}

function claimTime(path: string): number | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.mtimeMs;
  } catch {
    return undefined;
  }
}

function removeClaim(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Whom a claim or a lock names. */
export function holderOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** `machine.pid.start`: the boot and the pid namespace that the id belongs to, the process id, and when that process began. */
export function whoAmI(): string {
  return `${machine()}.${process.pid}.${startOf(process.pid) ?? 0}`;
}

/** Where a process id means the same; ids of another boot or another container's namespace do not. */
function machine(): string {
  const boot = textOf('/proc/sys/kernel/random/boot_id').slice(0, 8);
  const namespace = (holderOf('/proc/self/ns/pid') ?? '').replace(/[^0-9]/g, '');
  return `${boot || 'any'}-${namespace || process.platform}`;
}

/** True only when the holder (`whoAmI`, and whatever follows a point) is known not to exist any more. */
export function isGone(holder: string | undefined): boolean {
  const [where, pid, start] = (holder ?? '').split('.');
  if (where === undefined || pid === undefined || start === undefined) return false;
  const here = machine();
  if (where !== here) {
    // The same namespace number after a reboot is another namespace.
    const [boot, otherBoot] = [here.split('-')[0], where.split('-')[0]];
    return boot !== otherBoot && boot !== 'any' && otherBoot !== 'any';
  }
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    return errnoOf(error) === 'ESRCH';
  }
  const now = startOf(Number(pid));
  return now !== undefined && start !== '0' && String(now) !== start;
}

/** Clock ticks from boot to the start of a process, which tells it from a later one with its id (proc_pid_stat(5), field 22). A zombie
 * has started and will not do anything any more: -1. */
function startOf(pid: number): number | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return -1;
  const start = Number(fields[19]);
  return Number.isSafeInteger(start) && start > 0 ? start : undefined;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}
