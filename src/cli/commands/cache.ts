import { indexEntryHolds, indexStore } from '../../build/stored-indexes.js';
import { spansStore } from '../../cache/disk-files.js';
import {
  clearStore,
  type DiskInfo,
  hasItsDigest,
  storeInfo,
  verifyStore,
} from '../../cache/disk-maintenance.js';
import { prune as pruneStore } from '../../cache/disk-usage.js';
import { ClipError } from '../../errors.js';
import { escapeText } from '../../escape.js';
import { spoolStore } from '../../source/archive/spool.js';
import type { CACHE_FLAGS, Input } from '../command-flags.js';
import type { Context } from '../context.js';
import { counted, formatSize } from '../units.js';

/** What an action found and did: the fields of `--json`, and a line for people. */
interface Report {
  fields: Record<string, unknown>;
  text: string;
  failure?: ClipError;
}

type Action = (context: Context) => Promise<Report> | Report;

const ACTIONS: Readonly<Record<string, Action>> = { info, prune, clear, verify };

/** `clip cache info | prune | clear | verify`: looks after all that lies below the cache folder. */
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

/** The spans' numbers are the document's own, as they were before the others had any; those of the others are in fields of their names. */
function stores({ openOptions: { cacheDir } }: Context) {
  return [
    { name: 'spans', what: 'spans', store: spansStore(cacheDir), check: hasItsDigest },
    { name: 'indexes', what: 'indexes', store: indexStore(cacheDir), check: indexEntryHolds },
    { name: 'spool', what: 'copies of archives', store: spoolStore(cacheDir), check: hasItsDigest },
  ] as const;
}

type Part = ReturnType<typeof stores>[number];

/** Does the same to each store; a failure of one comes after all are done. */
async function toEach(context: Context, act: (part: Part) => Promise<Report> | Report): Promise<Report> {
  const all: Report = { fields: {}, text: '' };
  const lines: string[] = [];
  for (const part of stores(context)) {
    const { fields, text, failure } = await act(part);
    Object.assign(all.fields, part.name === 'spans' ? fields : { [part.name]: fields });
    lines.push(text);
    if (failure) all.failure ??= failure;
  }
  all.text = lines.join('\n');
  return all;
}

async function info(context: Context): Promise<Report> {
  const limit = context.openOptions.diskCache;
  let totalBytes = 0;
  const report = await toEach(context, ({ name, what, store }) => {
    const found = storeInfo(store);
    const { directory, entries, bytes, leastRecentUseMs, mostRecentUseMs } = found;
    totalBytes += bytes;
    const [oldest, newest] = [isoTime(leastRecentUseMs), isoTime(mostRecentUseMs)];
    const used = oldest === null ? '' : `, last used from ${oldest} to ${newest}`;
    const isSpans = name === 'spans';
    return {
      fields: { directory, entries, bytes, ...(isSpans && { limit }), oldest, newest },
      text: `${contents(found)} of ${isSpans ? '' : `${what}, `}at most ${formatSize(limit)}${used}`,
    };
  });
  report.fields.totalBytes = totalBytes;
  report.text += `\n${formatSize(totalBytes)} in all`;
  return report;
}

async function prune(context: Context): Promise<Report> {
  const limit = context.openOptions.diskCache;
  return await toEach(context, ({ name, what, store }) => {
    const directory = store.folder;
    const result = pruneStore(store, { maxBytes: limit, observer: context.observer });
    if (!result) {
      const { entries, bytes } = storeInfo(store);
      return {
        fields: { directory, entries, bytes, removedEntries: 0, removedBytes: 0 },
        text: contents({ directory, entries, bytes }),
        failure: new ClipError('FAILED', `another process is pruning the ${what} just now`, {
          hint: 'try again when it is done',
        }),
      };
    }
    const { entries, bytes, removedEntries, removedBytes, stuckEntries } = result;
    return {
      fields: { directory, entries, bytes, ...(name === 'spans' && { limit }), removedEntries, removedBytes },
      text: `${dropped(removedEntries, removedBytes)}; ${contents({ directory, entries, bytes })}`,
      ...(stuckEntries > 0 && { failure: notRemoved(stuckEntries, directory) }),
    };
  });
}

async function clear(context: Context): Promise<Report> {
  return await toEach(context, ({ store }) => {
    const { directory, removed, left, isGone } = clearStore(store);
    const rest = isGone ? 'is gone' : 'holds nothing of the cache';
    return {
      fields: { directory, ...left, removedEntries: removed.entries, removedBytes: removed.bytes },
      text: `${dropped(removed.entries, removed.bytes)}; ${
        left.entries > 0 ? contents({ directory, ...left }) : `${escapeText(directory)} ${rest}`
      }`,
      ...(left.entries > 0 && { failure: notRemoved(left.entries, directory) }),
    };
  });
}

function notRemoved(entries: number, directory: string): ClipError {
  return new ClipError('IO', `${counted(entries, 'entry')} of ${escapeText(directory)} cannot be removed`, {
    hint: 'the folder is read-only or belongs to another user',
  });
}

async function verify(context: Context): Promise<Report> {
  const { observer, signal } = context;
  const found: string[] = [];
  let [dropped, kept] = [0, 0];
  const report = await toEach(context, async ({ what, store, check }) => {
    const { entries, corrupt, left: stuck } = await verifyStore(store, { observer, signal, check });
    const left = storeInfo(store);
    if (corrupt.length > 0) found.push(`${corrupt.length} of the ${what}`);
    dropped += corrupt.length - stuck;
    kept += stuck;
    const { directory, bytes } = left;
    return {
      fields: { directory, entries: left.entries, bytes, removedEntries: corrupt.length - stuck, corrupt },
      text: `${entries - corrupt.length} of ${counted(entries, 'entry')} ${
        what === 'indexes' ? 'whole' : 'with the right digest'
      }; ${contents(left)}`,
    };
  });
  if (found.length > 0) {
    report.failure = new ClipError(
      'DIGEST_MISMATCH',
      `damaged entries of the cache: ${found.join(', ')}; ${kept > 0 ? `${dropped} of them` : 'they were'} dropped`,
      {
        hint:
          kept > 0
            ? 'the folder is read-only or belongs to another user; nothing in it that is damaged is taken for whole'
            : 'they are made again when they are needed (but copies of what came through a pipe); if this happens often, check the disk',
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
