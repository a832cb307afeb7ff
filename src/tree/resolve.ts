/**
 * From a path as a user or a symbolic link writes it to the node it means, all inside the image's root (POSIX.1-2017, 4.13
 * Pathname Resolution, as after chroot(2)).
 *
 * Lookups cost block reads, so prefixes are not walked one by one. Below a canonical path of the merged tree there are only
 * real directories: if the whole path exists, one lookup answers; if it does not, existence is monotone in the length of the
 * prefix, and a binary search finds the deepest prefix that exists: a link to follow, or the parent to name in the error.
 */
import type { ByteString } from '../bytes.js';
import { ClipError, type ClipErrorOptions } from '../errors.js';
import { escapeName } from '../escape.js';
import type { Node, TreeLookup } from './node.js';

/** Links followed for one path before it counts as a loop, as in Linux (path_resolution(7)). */
export const MAX_LINKS = 40;
/** Bytes of a path that is still to be resolved, links expanded. Linux refuses more than 4096. */
export const MAX_RESOLVED_BYTES = 65_536;

/** There is nothing at a path: PATH_NOT_FOUND or DANGLING_LINK. */
export class MissingPath extends ClipError {
  /** What ends the way is no directory (the kernel's ENOTDIR), where else a name is missing (ENOENT). */
  readonly throughFile: boolean;

  constructor(
    code: 'PATH_NOT_FOUND' | 'DANGLING_LINK',
    message: string,
    options: ClipErrorOptions & { throughFile: boolean },
  ) {
    super(code, message, options);
    this.throughFile = options.throughFile;
  }
}

export interface ResolveOptions {
  /** Follow a symbolic link that the last component names (as stat does; lstat and readlink do not). */
  followLast: boolean;
}

/** A link that was followed, and how many components were left to resolve after its target. */
interface Followed {
  link: ByteString;
  target: ByteString;
  rest: number;
}

interface Walk {
  asked: ByteString;
  /** Path of the directory that `todo` starts from: canonical, and known to be a directory. */
  base: ByteString;
  /** Components still to resolve. `.` stands only at the end, for a trailing slash: what is before it must be a directory. */
  todo: string[];
  followed: Followed[];
}

/**
 * The node that `path` names. A leading slash is optional; `.` and doubled slashes are ignored; `..` goes to the real parent
 * of where links led and stops at the root; after a trailing slash a last link is always followed.
 *
 * Throws ClipError: PATH_NOT_FOUND (the message names the nearest existing parent), DANGLING_LINK (names the link and its
 * target), LINK_LOOP after 40 links, LIMIT for a path over 65,536 bytes.
 */
export async function resolvePath(
  tree: TreeLookup,
  path: ByteString,
  options: ResolveOptions,
): Promise<Node> {
  const walk: Walk = { asked: path, base: '' as ByteString, todo: componentsOf(path), followed: [] };
  checkLength(walk, path.length);
  for (;;) {
    const run = plainRun(walk.todo);
    if (run === 0 && walk.todo.length > 0) {
      if (walk.todo.shift() === '..') walk.base = parentOf(walk.base);
      continue;
    }
    const depth = walk.todo.length === 0 ? 0 : run;
    const { node, reached } = await deepest(tree, walk, depth);
    const last = reached === depth && depth === walk.todo.length;
    if (node.entry.type === 'symlink' && !(last && !options.followLast)) {
      follow(walk, node, reached);
    } else if (reached < depth) {
      throw notFound(walk, node, reached);
    } else if (last) {
      return node;
    } else if (node.entry.type !== 'directory') {
      throw notFound(walk, node, reached);
    } else {
      walk.base = node.path;
      walk.todo.splice(0, depth);
    }
  }
}

/** Components before the first `..` or `.`. */
function plainRun(todo: readonly string[]): number {
  const special = todo.findIndex((name) => name === '..' || name === '.');
  return special < 0 ? todo.length : special;
}

/** Among `base` with its next 0…depth components, the longest that exists; one lookup when all of it does. */
async function deepest(
  tree: TreeLookup,
  walk: Walk,
  depth: number,
): Promise<{ node: Node; reached: number }> {
  const at = (count: number) => tree.lookup(join(walk.base, walk.todo.slice(0, count)));
  const whole = await at(depth);
  if (whole) return { node: whole, reached: depth };
  let found: { node: Node; reached: number } | undefined;
  let low = 0;
  let high = depth;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const node = await at(middle);
    if (node) {
      found = { node, reached: middle };
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (!found) throw new ClipError('CORRUPT_INDEX', 'the index has no root directory');
  return found;
}

function follow(walk: Walk, link: Node, reached: number): void {
  const target = link.entry.link;
  if (walk.followed.length === MAX_LINKS) {
    throw new ClipError(
      'LINK_LOOP',
      `${show(walk.asked)} goes through more than ${MAX_LINKS} links; the last was ${show(link.path)} -> ${escapeName(target)}`,
      { hint: 'the image holds a loop of symbolic links; `clip stat` shows where each one points' },
    );
  }
  const rest = walk.todo.slice(reached);
  walk.followed.push({ link: link.path, target, rest: rest.length });
  const next = componentsOf(target);
  checkLength(walk, target.length + rest.reduce((sum, name) => sum + name.length + 1, 0));
  if (target === '')
    throw dangling(walk, walk.followed.length - 1, { why: 'an empty target', throughFile: false });
  // A trailing slash matters only where nothing follows.
  if (rest.length > 0 && next.at(-1) === '.') next.pop();
  walk.todo = next.concat(rest);
  walk.base = target.startsWith('/') ? ('' as ByteString) : parentOf(link.path);
}

/** Why the walk ended at `node`, of which `walk.todo[reached]` was to be a child. */
function notFound(walk: Walk, node: Node, reached: number): ClipError {
  const isDirectory = node.entry.type === 'directory';
  const where = show(node.path);
  const why = isDirectory ? `the nearest existing parent is ${where}` : `${where} is not a directory`;
  // The missing component is the target's own, not one that was typed behind the link, if more is left than `rest`.
  const left = walk.todo.length - reached;
  for (let i = walk.followed.length - 1; i >= 0; i--) {
    if (left > walk.followed[i]!.rest) return dangling(walk, i, { why, throughFile: !isDirectory });
  }
  const list = isDirectory ? where : show(parentOf(node.path));
  return new MissingPath('PATH_NOT_FOUND', `${show(walk.asked)} does not exist in the image; ${why}`, {
    throughFile: !isDirectory,
    hint: `\`clip ls <target> ${list}\` lists what is there`,
  });
}

function dangling(
  walk: Walk,
  index: number,
  { why, throughFile }: { why: string; throughFile: boolean },
): ClipError {
  const { link, target } = walk.followed[index]!;
  const way = `/${componentsOf(walk.asked).join('/')}` === `/${link}` ? '' : `${show(walk.asked)}: `;
  return new MissingPath(
    'DANGLING_LINK',
    `${way}${show(link)} is a link to ${escapeName(target) || '""'}, which does not exist in the image; ${why}`,
    { throughFile, hint: 'what the link points to may be made when a container starts' },
  );
}

function checkLength(walk: Walk, length: number): void {
  if (length <= MAX_RESOLVED_BYTES) return;
  const shown = escapeName(walk.asked.slice(0, 80) as ByteString);
  throw new ClipError('LIMIT', `a path is longer than ${MAX_RESOLVED_BYTES} bytes: ${shown}…`, {
    hint: 'no file of an image has such a path',
  });
}

function componentsOf(path: ByteString): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.length > 0 && /(^|\/)\.?$/.test(path)) names.push('.');
  return names;
}

function join(base: ByteString, names: readonly string[]): ByteString {
  const below = names.join('/');
  return (base === '' || below === '' ? base + below : `${base}/${below}`) as ByteString;
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0)) as ByteString;
}

function show(path: ByteString): string {
  return escapeName((path.startsWith('/') ? path : `/${path}`) as ByteString);
}
