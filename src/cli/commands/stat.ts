import { byteStringToBytes } from '../../bytes.js';
import { escapeName } from '../../escape.js';
import type { LayerInfo } from '../../format/model.js';
import type { Node } from '../../tree/node.js';
import type { Input, STAT_FLAGS } from '../command-flags.js';
import type { Context } from '../context.js';
import { isoTime, linkSuffix, modeDigits, modeString, shownPath, sizeOf } from '../output/format.js';
import { type NodeJson, nodeToJson } from '../output/node-json.js';
import { resolveArgument } from '../paths.js';

/** `clip stat`: all metadata of each path. Goes on after a path that fails. */
export async function run(context: Context, { args, flags }: Input<typeof STAT_FLAGS>): Promise<void> {
  const [target, ...paths] = args;
  const { index } = await context.open(target!);
  const found: NodeJson[] = [];
  for (const path of paths) {
    try {
      const node = await resolveArgument(index, path, { followLast: flags.dereference });
      if (flags.json) found.push(nodeToJson(node, index.layers));
      else await context.stdout.print(describe(node, index.layers));
    } catch (error) {
      context.softError(error);
    }
  }
  if (flags.json) await context.stdout.print(`${JSON.stringify({ schema: 1, nodes: found }, null, 2)}\n`);
}

const TYPE_NAMES: Record<Node['entry']['type'], string> = {
  file: 'regular file',
  directory: 'directory',
  symlink: 'symbolic link',
  hardlink: 'hard link to nothing',
  char: 'character device',
  block: 'block device',
  fifo: 'FIFO',
};

function describe(node: Node, layers: readonly LayerInfo[]): string {
  const { entry } = node;
  const { type } = entry;
  const empty = type === 'file' && entry.size === 0 ? 'regular empty file' : TYPE_NAMES[type];
  const device = type === 'char' || type === 'block' ? `  Device: ${entry.devMajor}, ${entry.devMinor}` : '';
  const user = entry.uname === '' ? '' : `/${escapeName(entry.uname)}`;
  const group = entry.gname === '' ? '' : `/${escapeName(entry.gname)}`;
  const layer = layers[node.layer];
  const from = layer
    ? `${layer.digest} (${node.layer + 1} of ${layers.length})`
    : 'none: no layer names this directory';
  const lines = [
    `  Path: ${shownPath(node.path)}${linkSuffix(entry)}`,
    `  Type: ${empty}${device}`,
    `  Size: ${sizeOf(entry)}  Links: ${node.nlink}  Inode: ${node.inode}`,
    `  Mode: ${modeDigits(entry.mode)}/${modeString(type, entry.mode)}  Uid: ${entry.uid}${user}  Gid: ${entry.gid}${group}`,
    `Modify: ${isoTime(entry.mtime, entry.mtimeNanos, 9)}`,
    ` Layer: ${from}`,
  ];
  for (const [name, value] of entry.xattrs) lines.push(` Xattr: ${escapeName(name)} = ${xattrText(value)}`);
  return `${lines.join('\n')}\n`;
}

/** Text where the value is text, else hexadecimal; as getfattr(1) does. */
function xattrText(value: Node['entry']['link']): string {
  return /^[\x20-\x7e]*$/.test(value)
    ? JSON.stringify(value)
    : `0x${byteStringToBytes(value).toString('hex')}`;
}
