import { byteStringToBytes } from '../../bytes.js';
import { escapeName } from '../../escape.js';
import type { LayerInfo } from '../../format/model.js';
import type { Node } from '../../tree/node.js';
import { isoTime, modeDigits, shownPath, sizeOf } from './format.js';

/** One name of the tree as `ls --json` and `stat --json` print it; the fields are documented in docs/cli.md. */
export interface NodeJson {
  path: string;
  type: string;
  mode: string;
  uid: number;
  gid: number;
  user: string | null;
  group: string | null;
  size: number;
  mtime: string;
  nlink: number;
  inode: string;
  layer: string | null;
  /** Of a symbolic link as it is written; of a hard link to nothing the path that it names. */
  link?: string;
  /** Of a device. */
  major?: number;
  minor?: number;
  /** Values in base64; left out when there are none. */
  xattrs?: Record<string, string>;
}

export function nodeToJson(node: Node, layers: readonly LayerInfo[]): NodeJson {
  const { entry } = node;
  const json: NodeJson = {
    path: shownPath(node.path),
    type: entry.type,
    mode: modeDigits(entry.mode),
    uid: entry.uid,
    gid: entry.gid,
    user: entry.uname === '' ? null : escapeName(entry.uname),
    group: entry.gname === '' ? null : escapeName(entry.gname),
    size: sizeOf(entry),
    mtime: isoTime(entry.mtime, entry.mtimeNanos, 9),
    nlink: node.nlink,
    inode: node.inode,
    layer: layers[node.layer]?.digest ?? null,
  };
  if (entry.type === 'symlink') json.link = escapeName(entry.link);
  if (entry.type === 'hardlink') json.link = shownPath(entry.link);
  if (entry.type === 'char' || entry.type === 'block') {
    json.major = entry.devMajor;
    json.minor = entry.devMinor;
  }
  if (entry.xattrs.length > 0) {
    // A null prototype keeps a name such as __proto__ a field like any other.
    const xattrs: Record<string, string> = Object.create(null);
    for (const [name, value] of entry.xattrs) {
      xattrs[escapeName(name)] = byteStringToBytes(value).toString('base64');
    }
    json.xattrs = xattrs;
  }
  return json;
}
