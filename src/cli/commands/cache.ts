import { clearDisk, type DiskInfo, diskInfo, pruneDisk, verifyDisk } from '../../cache/disk-maintenance.js';
import { ClipError } from '../../errors.js';
import { escapeText } from '../../escape.js';
import { spoolInfo } from '../../source/archive/spool.js';
import type { Context } from '../context.js';
import type { CACHE_FLAGS, Input } from '../definitions.js';
import { counted, formatSize } from '../units.js';

/** What an action found and did: the fields of `--json`, and a line for people. */
interface Report {
  fields: Record<string, unknown>;
  text: string;
  failure?: ClipError;
}

type Action = (context: Context) => Promise<Report> | Report;

const ACTIONS: Readonly<Record<string, Action>> = { info, prune, clear, verify };

/** `clip cache info | prune | clear | verify`: looks after the disk tier. */
export async function run(context: Context, { args, flags }: Input<typeof CACHE_FLAGS>): Promise<void> {
  const name = args[0] ?? '';
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (!action) {
    throw new ClipError('USAGE', `clip cache has no action '${escapeText(name)}'`, {
      hint: 'the actions are info, prune, clear and verify',
    });
  }
  const report = await act(action, context);
  const document = { schema: 1, action: name, ...report.fields };
  await context.stdout.print(flags.json ? `${JSON.stringify(document, null, 2)}\n` : `${report.text}\n`);
  if (report.failure) throw report.failure;
}

/** A folder that cannot be read or written is told in its own words. */
async function act(action: Action, context: Context): Promise<Report> {
  try {
    return await action(context);
  } catch (error) {
    if (error instanceof ClipError || !(error instanceof Error) || !('code' in error)) throw error;
    throw new ClipError('IO', `the disk cache cannot be looked after: ${escapeText(error.message)}`, {
      hint: 'check the folder and who owns it, or name another with --cache-dir',
      cause: error,
    });
  }
}

function info(context: Context): Report {
  const { cacheDir, diskCache } = context.openOptions;
  const found = diskInfo(cacheDir);
  const { directory, entries, bytes, leastRecentUseMs, mostRecentUseMs } = found;
  const [oldest, newest] = [isoTime(leastRecentUseMs), isoTime(mostRecentUseMs)];
  const used = oldest === null ? '' : `, last used from ${oldest} to ${newest}`;
  const { leastRecentUseMs: _, mostRecentUseMs: __, ...spool } = spoolInfo(cacheDir);
  const copies = spool.entries === 0 ? '' : `\n${contents(spool)} of copies of archives`;
  return {
    fields: { directory, entries, bytes, limit: diskCache, oldest, newest, spool },
    text: `${contents(found)} of at most ${formatSize(diskCache)}${used}${copies}`,
  };
}

function prune(context: Context): Report {
  const { cacheDir, diskCache } = context.openOptions;
  const { directory } = diskInfo(cacheDir);
  const result = pruneDisk(cacheDir, diskCache);
  if (!result) {
    throw new ClipError('FAILED', 'another process is pruning the disk cache just now', {
      hint: 'try again when it is done',
    });
  }
  const { entries, bytes, removedEntries, removedBytes, stuckEntries } = result;
  const report: Report = {
    fields: { directory, entries, bytes, limit: diskCache, removedEntries, removedBytes },
    text: `${dropped(removedEntries, removedBytes)}; ${contents({ directory, entries, bytes })}`,
  };
  if (stuckEntries > 0) report.failure = notRemoved(stuckEntries, directory);
  return report;
}

function clear(context: Context): Report {
  const { directory, removed, left, isGone } = clearDisk(context.openOptions.cacheDir);
  const rest = isGone ? 'is gone' : 'holds nothing of the cache';
  const report: Report = {
    fields: { directory, ...left, removedEntries: removed.entries, removedBytes: removed.bytes },
    text: `${dropped(removed.entries, removed.bytes)}; ${
      left.entries > 0 ? contents({ directory, ...left }) : `${escapeText(directory)} ${rest}`
    }`,
  };
  if (left.entries > 0) report.failure = notRemoved(left.entries, directory);
  return report;
}

function notRemoved(entries: number, directory: string): ClipError {
  return new ClipError('IO', `${counted(entries, 'entry')} of ${escapeText(directory)} cannot be removed`, {
    hint: 'the folder is read-only or belongs to another user',
  });
}

async function verify(context: Context): Promise<Report> {
  const { cacheDir } = context.openOptions;
  const { observer, signal } = context;
  const { directory } = diskInfo(cacheDir);
  const { entries, corrupt, left: kept } = await verifyDisk(cacheDir, { observer, signal });
  const left = diskInfo(cacheDir);
  const report: Report = {
    fields: {
      directory,
      entries: left.entries,
      bytes: left.bytes,
      removedEntries: corrupt.length - kept,
      corrupt,
    },
    text: `${entries - corrupt.length} of ${counted(entries, 'entry')} with the right digest; ${contents(left)}`,
  };
  if (corrupt.length > 0) {
    report.failure = new ClipError(
      'DIGEST_MISMATCH',
      `${counted(corrupt.length, 'entry')} of the disk cache ${kept > 0 ? `found, ${corrupt.length - kept} ` : ''}dropped: not the bytes that the name says`,
      {
        hint:
          kept > 0
            ? 'the folder is read-only or belongs to another user; no reader takes what is left'
            : 'they are fetched again when they are needed; if this happens often, check the disk',
      },
    );
  }
  return report;
}

function contents({ directory, entries, bytes }: Pick<DiskInfo, 'directory' | 'entries' | 'bytes'>): string {
  return `${escapeText(directory)} holds ${counted(entries, 'entry')}, ${formatSize(bytes)}`;
}

function dropped(entries: number, bytes: number): string {
  return `dropped ${counted(entries, 'entry')}, ${formatSize(bytes)}`;
}

function isoTime(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString();
}
