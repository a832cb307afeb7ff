import { accessSync, constants, existsSync, lstatSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type DiskEntry, type DiskStore, entryAt, filesIn } from '../cache/disk-files.js';
import { createDiskUsage } from '../cache/disk-usage.js';
import { readWhole } from '../cache/read-whole.js';
import { isClipError } from '../errors.js';
import { bufferSource } from '../format/buffer-source.js';
import { verifyIndexBlocks } from '../format/index-parts.js';
import { openLayerSection } from '../format/layer-section.js';
import { openIndex } from '../format/open-index.js';
import type { Observer } from '../observer.js';
import { MAX_DOCUMENT } from '../oci/json.js';
import { isDigest } from '../reference/digest.js';
import { openFileSource } from './byte-source.js';
import { isRecord, partIn } from './found-store.js';
import { indexFolder, MAX_SECTION } from './store.js';

/**
 * The index store (store.ts, found-store.ts) as `clip cache` and the bound see it: all its files, of whatever version of the format, each
 * checked in its own way.
 */

const KEYED = 'sha(?:256|512)-[0-9a-f]{64,128}-[0-9]+';
const INDEX = new RegExp(`^${KEYED}-v[0-9]+\\.[0-9]+\\.clip$`);

/** What lies where, and whether the file holds. */
const PLACES: readonly { at: string; name: RegExp; holds(path: string): Promise<boolean> | boolean }[] = [
  { at: '', name: INDEX, holds: indexHolds },
  { at: 'mixed', name: INDEX, holds: indexHolds },
  { at: 'layers', name: new RegExp(`^${KEYED}-v[0-9]+\\.[0-9]+$`), holds: sectionHolds },
  { at: 'names', name: /^[0-9a-f]{64}$/, holds: (path) => isDigest(textOf(path).trim()) },
  { at: 'found/parts', name: new RegExp(`^${KEYED}$`), holds: (path) => partIn(path) !== undefined },
  { at: 'found', name: /^[0-9a-f]{64}$/, holds: (path) => isRecord(textOf(path)) },
];

/**
 * What an index was used for is marked to the minute, and a path that was printed is used by who asked for it: what was used within
 * the hour is not removed for the bound's sake.
 */
const KEPT_MS = 60 * 60 * 1000;

export function indexStore(cacheDir: string): DiskStore {
  const folder = indexFolder(cacheDir);
  const inner = ['mixed', 'layers', 'names', 'found/parts', 'found'];
  return {
    folder,
    keptMs: KEPT_MS,
    *entries() {
      for (const { at, name } of PLACES) {
        for (const path of filesIn(join(folder, at))) {
          if (!name.test(basename(path))) continue;
          const entry = entryAt(join(at, basename(path)), path);
          if (entry) yield entry;
        }
      }
    },
    *temporaries() {
      for (const at of ['', 'tmp', ...inner]) {
        for (const path of filesIn(join(folder, at))) {
          if (at === 'tmp' || /^\.(?:clip|probe)-/.test(basename(path))) yield path;
        }
      }
    },
    *folders() {
      for (const at of ['tmp', ...inner, '']) yield join(folder, at);
    },
  };
}

/** Tells that bytes were added to the store; the oldest go where it holds more than `quota`. Nothing does where there is no disk cache. */
export function boundIndexes(
  cacheDir: string,
  { quota, bytes, observer }: { quota: number; bytes: number; observer: Observer },
): void {
  if (quota <= 0 || bytes <= 0) return;
  const usage = createDiskUsage(indexStore(cacheDir), quota, observer);
  usage.add(bytes);
  usage.flush();
}

/** Whether a file of the store holds; undefined when it is gone, or not for this user to read. One of a newer format is not ours to judge. */
export async function indexEntryHolds({ key, path }: DiskEntry): Promise<boolean | undefined> {
  const slash = key.lastIndexOf('/');
  const place = PLACES.find(({ at }) => at === key.slice(0, Math.max(0, slash)));
  try {
    if (lstatSync(path).isSymbolicLink()) return false;
    accessSync(path, constants.R_OK);
  } catch {
    return undefined;
  }
  try {
    return (await place?.holds(path)) === true || goneMeanwhile(path);
  } catch (error) {
    return isClipError(error, 'NEWER_INDEX') || goneMeanwhile(path);
  }
}

/** Undefined when it is, else false. */
function goneMeanwhile(path: string): false | undefined {
  return existsSync(path) ? false : undefined;
}

async function indexHolds(path: string): Promise<boolean> {
  const file = openFileSource(path);
  try {
    await openIndex(file);
    await verifyIndexBlocks(file);
    return true;
  } finally {
    await file.close();
  }
}

async function sectionHolds(path: string): Promise<boolean> {
  const bytes = readWhole(path, MAX_SECTION);
  if (!bytes) return false;
  const { verify } = await openLayerSection(bufferSource(bytes));
  await verify();
  return true;
}

function textOf(path: string): string {
  return readWhole(path, MAX_DOCUMENT)?.toString('utf8') ?? '';
}
