import type { ByteString } from '../../bytes.js';
import { escapeName } from '../../escape.js';
import type { ImageIndex } from '../../format/image-index.js';
import type { Node } from '../../tree/node.js';
import type { Context } from '../context.js';
import type { Input, LS_FLAGS } from '../definitions.js';
import { shownPath } from '../output/format.js';
import { createLongFormat } from '../output/long.js';
import { nodeToJson } from '../output/node-json.js';
import { PLAIN, type Style } from '../output/style.js';
import { resolveArgument } from '../paths.js';

/**
 * `clip ls`: names of a directory, or with -R absolute paths of all that is below it. A link that is named is followed, except
 * with -l, as ls(1) does.
 */
export async function run(context: Context, { args, flags }: Input<typeof LS_FLAGS>): Promise<void> {
  const [target, path = '/'] = args;
  const { index } = await context.open(target!);
  const node = await resolveArgument(index, path, { followLast: !flags.long || path.endsWith('/') });
  const namesAlone = !flags.long && !flags.json && context.style === PLAIN;
  if (flags.recursive && namesAlone && node.entry.type === 'directory')
    return printPaths(context, index.paths(node.path), node.path);
  const format = lineFormat(context, { index, ...flags });
  for await (const nodes of listing(index, node, flags.recursive)) {
    context.signal.throwIfAborted();
    await context.stdout.print(format(nodes));
  }
}

/** All below a directory, where nothing but the path is shown of an entry. */
async function printPaths(
  { signal, stdout }: Context,
  batches: AsyncIterable<ByteString[]>,
  directory: ByteString,
): Promise<void> {
  for await (const paths of batches) {
    signal.throwIfAborted();
    // The directory itself comes first. Joining makes one string, where adding up makes three for each path.
    const below = paths[0] === directory ? paths.slice(1) : paths;
    if (below.length > 0) await stdout.print(`/${below.map(escapeName).join('\n/')}\n`);
  }
}

/** What is listed: a directory's content, or the one node that is no directory. */
async function* listing(index: ImageIndex, node: Node, recursive: boolean): AsyncIterable<Node[]> {
  if (node.entry.type !== 'directory') yield [node];
  else if (!recursive) yield await index.children(node.path);
  else {
    for await (const nodes of index.walk(node.path)) yield nodes.filter((below) => below.path !== node.path);
  }
}

interface Lines {
  index: ImageIndex;
  long: boolean;
  recursive: boolean;
  json: boolean;
}

function lineFormat(context: Context, lines: Lines): (nodes: Node[]) => string {
  if (lines.json) {
    return (nodes) =>
      nodes.map((node) => `${JSON.stringify(nodeToJson(node, lines.index.layers))}\n`).join('');
  }
  const nameOf = (node: Node) => {
    const path = shownPath(node.path);
    const name = lines.recursive ? path : path.slice(path.lastIndexOf('/') + 1) || '/';
    return coloured(node, name, context.style);
  };
  if (!lines.long) return (nodes) => nodes.map((node) => `${nameOf(node)}\n`).join('');
  const long = createLongFormat();
  return (nodes) => long(nodes.map((node) => ({ node, name: nameOf(node) })));
}

function coloured(node: Node, name: string, style: Style): string {
  const { type, mode } = node.entry;
  if (type === 'directory') return style.blue(name);
  if (type === 'symlink') return style.cyan(name);
  if (type === 'file') return mode & 0o111 ? style.green(name) : name;
  return style.yellow(name);
}
