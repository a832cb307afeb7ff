/**
 * From the path and glob arguments of `extract`, `export` and `prefetch` to the nodes they mean.
 *
 * An argument is a path first: its unescaped form, then its literal one, links resolved as everywhere except a last one; a
 * directory stands for all below it. Only where there is no such path, and it has wildcards, is it a glob over whole paths
 * (src/tree/glob.ts): a file that is named `a[1]` can be pasted as it was printed. Leading segments without wildcards are
 * resolved through links, wildcards never follow them; a directory that matches stands for all below it too.
 */
import type { ByteString } from '../bytes.js';
import { ClipError, isClipError } from '../errors.js';
import { candidatesOf } from '../escape.js';
import { comparePaths } from './entry.js';
import { describeGlob, type Glob, isGlob, matchGlob, parseGlob } from './glob.js';
import type { Node, TreeLookup } from './node.js';
import { resolvePath } from './resolve.js';

/** A tree that can list a directory and all below it in canonical order, as ImageIndex does. */
export interface TreeWalk extends TreeLookup {
  walk(path: ByteString): AsyncIterable<Node[]>;
}

export interface SelectOptions {
  /** Takes the error of an argument that means nothing, and the selection goes on; without it that error is thrown. */
  onError?: (error: ClipError) => void;
}

interface Pattern {
  glob: Glob;
  /** The real path of the glob's base. */
  base: ByteString;
  argument: Argument;
}

interface Argument {
  text: string;
  /** It has selected something, or it was said that it has not. */
  settled: boolean;
}

/** What arguments select. */
export interface Selection {
  /** The selected nodes in canonical order, each once, in batches. Everything where no argument was given. */
  nodes(): AsyncIterable<Node[]>;
}

/**
 * Resolves the arguments; a path that does not exist is an error at once (the codes of resolvePath), a glob that matches
 * nothing when `nodes()` has ended (PATH_NOT_FOUND). Patterns that are too large are USAGE.
 */
export async function selectNodes(
  tree: TreeWalk,
  args: readonly string[],
  options: SelectOptions = {},
): Promise<Selection> {
  const whole: ByteString[] = args.length === 0 ? ['' as ByteString] : [];
  const patterns: Pattern[] = [];
  const fail = (error: ClipError) => {
    if (!options.onError) throw error;
    options.onError(error);
  };
  for (const text of args) {
    const found = await findLiteral(tree, text);
    if (typeof found === 'string') whole.push(found);
    else if (isGlob(text)) patterns.push(...(await resolveBases(tree, text, fail)));
    else fail(found);
  }
  const subtrees = outermost(whole);
  // All that is selected lies below these.
  const roots = outermost([...whole, ...patterns.map((pattern) => pattern.base)]);
  async function* nodes(): AsyncIterable<Node[]> {
    for (const root of roots) yield* within(tree, root, { subtrees, patterns });
    for (const argument of new Set(patterns.map((pattern) => pattern.argument))) {
      if (argument.settled) continue;
      argument.settled = true;
      fail(nothingMatches(argument.text));
    }
  }
  return { nodes };
}

/**
 * The real path of the node that an argument names, or why there is none. The error is that of the literal spelling where
 * the argument cannot be read as an escaped name, else that of the unescaped one.
 */
async function findLiteral(tree: TreeLookup, text: string): Promise<ByteString | ClipError> {
  let first: ClipError | undefined;
  for (const path of candidatesOf(text)) {
    const found = await resolveQuietly(tree, path, false);
    if (!isClipError(found)) return found.path;
    first ??= found;
  }
  return first!;
}

/** The node, or the error where the image has no such path; other errors are thrown. */
async function resolveQuietly(
  tree: TreeLookup,
  path: ByteString,
  followLast: boolean,
): Promise<Node | ClipError> {
  try {
    return await resolvePath(tree, path, { followLast });
  } catch (error) {
    if (isClipError(error) && error.exitStatus === 3) return error;
    throw error;
  }
}

/** The alternatives of a pattern whose base exists. Fails where there is none: nothing can match. */
async function resolveBases(
  tree: TreeLookup,
  text: string,
  fail: (error: ClipError) => void,
): Promise<Pattern[]> {
  const argument: Argument = { text, settled: false };
  const patterns: Pattern[] = [];
  for (const glob of parseGlob(text)) {
    // A base with nothing behind it is a path that was spelled with braces: its last link is not followed.
    const node = await resolveQuietly(tree, glob.base, glob.rest.length > 0);
    if (!isClipError(node)) patterns.push({ glob, base: node.path, argument });
  }
  if (patterns.length === 0) fail(nothingMatches(text));
  return patterns;
}

function nothingMatches(text: string): ClipError {
  return new ClipError('PATH_NOT_FOUND', `nothing in the image matches ${describeGlob(text)}`, {
    hint: '`*` and `?` stay within one directory, `**` crosses directories: `**/*.so` finds all libraries',
  });
}

/** What is selected of the subtree at `root`. */
async function* within(
  tree: TreeWalk,
  root: ByteString,
  wanted: { subtrees: readonly ByteString[]; patterns: readonly Pattern[] },
): AsyncIterable<Node[]> {
  const subtrees = wanted.subtrees.filter((path) => isWithin(path, root));
  const patterns = wanted.patterns.filter((pattern) => isWithin(pattern.base, root));
  let next = 0;
  /** The selected directory that the walk is in: all below it is selected. */
  let inside: ByteString | undefined;
  for await (const batch of tree.walk(root)) {
    const chosen = batch.filter((node) => {
      // Every pattern sees every path until it has matched once: whether it did is reported.
      const isInside = inside !== undefined && isWithin(node.path, inside);
      let isChosen = isInside;
      if (subtrees[next] === node.path) {
        next++;
        isChosen = true;
      }
      for (const { glob, base, argument } of patterns) {
        if (isChosen && argument.settled) continue;
        if (!matches(glob, base, node)) continue;
        argument.settled = true;
        isChosen = true;
      }
      if (isChosen && !isInside) inside = node.path;
      return isChosen;
    });
    if (chosen.length > 0) yield chosen;
  }
}

function matches(glob: Glob, base: ByteString, node: Node): boolean {
  if (!isWithin(node.path, base)) return false;
  if (glob.directoryOnly && node.entry.type !== 'directory') return false;
  const below = base === '' ? node.path : node.path.slice(base.length + 1);
  return matchGlob(glob, below as ByteString);
}

export function isWithin(path: string, directory: string): boolean {
  if (directory === '' || path === directory) return true;
  return path.length > directory.length && path[directory.length] === '/' && path.startsWith(directory);
}

/** The paths in canonical order, without those that lie within another. */
function outermost(paths: readonly ByteString[]): ByteString[] {
  const kept: ByteString[] = [];
  for (const path of [...paths].sort(comparePaths)) {
    const last = kept.at(-1);
    if (last === undefined || !isWithin(path, last)) kept.push(path);
  }
  return kept;
}
