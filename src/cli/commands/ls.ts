import { isClipError } from '../../errors.js';
import { escapeName } from '../../escape.js';
import type { ImageIndex, PathRun } from '../../format/image-index.js';
import { createPasses } from '../../read/passes.js';
import { inTurns } from '../../read/turns.js';
import type { Node } from '../../tree/node.js';
import type { Input, LS_FLAGS } from '../command-flags.js';
import type { Context } from '../context.js';
import { shownPath } from '../output/format.js';
import { createLongFormat } from '../output/long.js';
import { nodeToJson } from '../output/node-json.js';
import { PLAIN, type Style } from '../output/style.js';
import { resolveArgument } from '../paths.js';

/**
 * `clip ls`: names of a directory, or with -R absolute paths of all that is below it. A link that is named is followed, except
 * with -l or where it leads to nothing, as ls(1) does.
 */
export async function run(context: Context, { args, flags }: Input<typeof LS_FLAGS>): Promise<void> {
  const [target, path = '/'] = args;
  const { signal } = context;
  const { index } = await context.open(target!);
  const node = await namedNode(index, path, flags.long);
  const namesAlone = !flags.long && !flags.json && context.style === PLAIN;
  if (flags.recursive && namesAlone && node.entry.type === 'directory') {
    for await (const run of inTurns(index.pathsBelow(node.path), signal)) {
      await context.stdout.print(run.plain ? run.lines() : escapedLines(run));
    }
    return;
  }
  const list = () => listing(index, node, flags.recursive);
  const print = (lines: (nodes: readonly Node[]) => string) =>
    printAll(context, inTurns(list(), signal), lines);
  if (flags.json) return print((nodes) => nodes.map((each) => jsonLine(each, index)).join(''));
  const nameOf = (each: Node) => shownName(each, { recursive: flags.recursive, style: context.style });
  if (!flags.long) return print((nodes) => nodes.map((each) => `${nameOf(each)}\n`).join(''));
  const format = createLongFormat();
  const lines = (nodes: readonly Node[]) =>
    format.lines(nodes.map((each) => ({ node: each, name: nameOf(each) })));
  if (flags.recursive) return print(lines);
  // One directory is gone through twice, so that its columns are straight.
  const passes = createPasses(list, { kinds: { all: () => true }, keep: KEPT, signal });
  for await (const nodes of passes.first()) format.measure(nodes);
  return printAll(context, passes.again('all'), lines);
}

async function namedNode(index: ImageIndex, path: string, long: boolean): Promise<Node> {
  const asDirectory = /\/\.*$/.test(path);
  try {
    return await resolveArgument(index, path, { followLast: !long || asDirectory });
  } catch (error) {
    if (asDirectory || !isClipError(error, 'DANGLING_LINK')) throw error;
    return resolveArgument(index, path, { followLast: false });
  }
}

/** A directory that is small enough is walked once only. */
const KEPT = { nodes: 1024, bytes: 1 << 20 };

async function printAll<T>(
  { stdout }: Context,
  batches: AsyncIterable<readonly T[]>,
  text: (batch: readonly T[]) => string,
): Promise<void> {
  for await (const batch of batches) if (batch.length > 0) await stdout.print(text(batch));
}

function escapedLines(run: PathRun): string {
  return Array.from({ length: run.count }, (_, i) => `/${escapeName(run.at(i))}\n`).join('');
}

/** What is listed: a directory's content, or the one node that is no directory. */
async function* listing(index: ImageIndex, node: Node, recursive: boolean): AsyncIterable<Node[]> {
  if (node.entry.type !== 'directory') yield [node];
  else if (!recursive) yield* index.children(node.path);
  else {
    for await (const nodes of index.walk(node.path)) yield nodes.filter((below) => below.path !== node.path);
  }
}

function jsonLine(node: Node, index: ImageIndex): string {
  return `${JSON.stringify(nodeToJson(node, index.layers))}\n`;
}

function shownName(node: Node, { recursive, style }: { recursive: boolean; style: Style }): string {
  const path = shownPath(node.path);
  return coloured(node, recursive ? path : path.slice(path.lastIndexOf('/') + 1) || '/', style);
}

function coloured(node: Node, name: string, style: Style): string {
  const { type, mode } = node.entry;
  if (type === 'directory') return style.blue(name);
  if (type === 'symlink') return style.cyan(name);
  if (type === 'file') return mode & 0o111 ? style.green(name) : name;
  return style.yellow(name);
}
