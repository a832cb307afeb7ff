import { escapeName } from '../../escape.js';
import type { Node } from '../../tree/node.js';
import { isoTime, linkSuffix, modeString, sizeOf } from './format.js';
import { pad, width } from './table.js';

/** Lines of `ls -l`, in the columns of GNU ls: mode, links, owner, group, size (or major, minor), time, name. */
export interface LongFormat {
  /** Makes the columns wide enough for these nodes. */
  measure(nodes: readonly Node[]): void;
  /** The lines. Widths only grow from call to call, so that a listing that was not measured stays readable. */
  lines(rows: readonly { node: Node; name: string }[]): string;
}

export function createLongFormat(): LongFormat {
  const widths = [0, 0, 0, 0];

  function measure(nodes: readonly Node[]): void {
    for (const node of nodes) {
      for (const [i, cell] of cellsOf(node).entries()) widths[i] = Math.max(widths[i]!, width(cell));
    }
  }

  function line({ node, name }: { node: Node; name: string }): string {
    const [links, owner, group, size] = cellsOf(node).map((cell, i) =>
      pad(cell, { width: widths[i]!, align: i === 0 || i === 3 ? 'right' : 'left' }),
    );
    const { type, mode, mtime, mtimeNanos } = node.entry;
    const target = linkSuffix(node.entry);
    const time = isoTime(mtime, mtimeNanos, 0);
    return `${modeString(type, mode)} ${links} ${owner} ${group} ${size} ${time} ${name}${target}\n`;
  }

  return {
    measure,
    lines(rows) {
      measure(rows.map(({ node }) => node));
      return rows.map(line).join('');
    },
  };
}

function cellsOf({ nlink, entry }: Node): string[] {
  const { type, uid, gid, uname, gname, devMajor, devMinor } = entry;
  const isDevice = type === 'char' || type === 'block';
  return [
    String(nlink),
    uname === '' ? String(uid) : escapeName(uname),
    gname === '' ? String(gid) : escapeName(gname),
    isDevice ? `${devMajor}, ${devMinor}` : String(sizeOf(entry)),
  ];
}
