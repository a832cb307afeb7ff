/**
 * Finds the directory that a tar entry's parent path means, through symbolic links of this and lower layers, inside the
 * image's root: what containerd's fs.RootPath and umoci's securejoin do. Components that do not exist are kept as they are,
 * and `..` behind them is lexical.
 */
import type { ByteString } from '../bytes.js';
import { ClipError } from '../errors.js';
import { escapeName } from '../escape.js';
import { type FileTree, KIND } from './file-tree.js';
import { NONE, ROOT, type Slot } from './name-tree.js';

/** Links that lead to one entry's parent, as containerd and umoci have it. */
export const MAX_PARENT_LINKS = 255;
/** Bytes of a symlink's target that can be followed; Linux makes none that is longer (PATH_MAX counts a NUL). */
export const MAX_TARGET_BYTES = 4095;
/** Bytes of link targets followed in one layer: seconds of work, which no real image comes near. */
const MAX_FOLLOWED_BYTES = 2 ** 27;

export interface Found {
  /** The deepest directory of the path that exists. */
  slot: Slot;
  /** Components below it that do not exist, or of which the first is no directory. */
  missing: string[];
  /** A symlink was followed, so that the real path is another than the written one. */
  moved: boolean;
}

export class DirectoryFinder {
  private readonly tree: FileTree;
  private followedBytes = 0;

  constructor(tree: FileTree) {
    this.tree = tree;
  }

  /** Where path[0, end) leads; undefined where that takes too many links (a loop). Throws ClipError LIMIT. */
  find(path: string, end: number): Found | undefined {
    const { names } = this.tree;
    const found: Found = { slot: ROOT, missing: [], moved: false };
    const { missing } = found;
    const rests: { text: string; at: number; end: number }[] = [];
    let text = path;
    let at = 0;
    let links = 0;
    for (;;) {
      if (at >= end) {
        const rest = rests.pop();
        if (!rest) return found;
        ({ text, at, end } = rest);
        continue;
      }
      const start = at;
      const slash = text.indexOf('/', start);
      const stop = slash < 0 || slash > end ? end : slash;
      at = stop + 1;
      if (stop === start || isDots(text, start, stop, 1)) continue;
      if (isDots(text, start, stop, 2)) {
        if (missing.length > 0) missing.pop();
        else if (found.slot !== ROOT) found.slot = names.parent(found.slot);
        continue;
      }
      const child = missing.length > 0 ? NONE : names.find(found.slot, text, start, stop);
      const kind = child === NONE ? KIND.gone : this.tree.kind(child);
      if (kind === KIND.directory) {
        found.slot = child;
      } else if (kind !== KIND.symlink) {
        missing.push(text.slice(start, stop));
      } else {
        const target = this.tree.linkText(child);
        this.count(target);
        if (++links > MAX_PARENT_LINKS || target.length > MAX_TARGET_BYTES) return undefined;
        found.moved = true;
        rests.push({ text, at, end });
        text = target;
        at = 0;
        end = target.length;
        if (target.startsWith('/')) found.slot = ROOT;
      }
    }
  }

  /** The directory itself, made with all that is missing. What is in the way and no directory is replaced by one. */
  make(path: string, end: number): { slot: Slot; moved: boolean } {
    let found = this.find(path, end);
    while (!found) {
      this.replaceFirstLink(path, end);
      found = this.find(path, end);
    }
    let { slot } = found;
    for (const name of found.missing) slot = this.makeOne(slot, name);
    return { slot, moved: found.moved };
  }

  private makeOne(parent: Slot, name: string): Slot {
    const part = { text: name, start: 0, end: name.length };
    return this.tree.make(parent, part, { kind: KIND.directory, entry: NONE });
  }

  /** A link that leads nowhere (a loop) cannot be a parent: the first one on the path gives way to a directory. */
  private replaceFirstLink(path: string, end: number): void {
    const { names } = this.tree;
    let slot: Slot = ROOT;
    for (const name of path.slice(0, end).split('/')) {
      const child = names.find(slot, name, 0, name.length);
      if (child === NONE) break;
      if (this.tree.kind(child) === KIND.symlink) {
        this.makeOne(slot, name);
        return;
      }
      slot = child;
    }
    throw new ClipError('CORRUPT_TAR', `an entry's path is not clean: ${escapeName(path as ByteString)}`);
  }

  private count(target: ByteString): void {
    this.followedBytes += target.length + 1;
    if (this.followedBytes <= MAX_FOLLOWED_BYTES) return;
    throw new ClipError('LIMIT', 'the image leads too many of its paths through symbolic links', {
      hint: 'this is no ordinary image; docs/security.md lists the limits',
    });
  }
}

function isDots(text: string, start: number, stop: number, count: number): boolean {
  if (stop - start !== count) return false;
  for (let i = start; i < stop; i++) if (text.charCodeAt(i) !== 0x2e) return false;
  return true;
}
