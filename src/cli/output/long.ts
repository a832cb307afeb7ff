import { escapeName } from '../../escape.js';
import type { Node } from '../../tree/node.js';
import { isoTime, linkSuffix, modeString, sizeOf } from './format.js';
import { pad, width } from './table.js';

/**
 * Lines of `ls -l`, in the columns of GNU ls: mode, links, owner, group, size (or major, minor), time, name. Widths only grow
 * from call to call, so a long listing can be printed in batches and stays readable.
 */
export function createLongFormat(): (rows: readonly { node: Node; name: string }[]) => string {
  const widths = [0, 0, 0, 0];
  return (rows) => {
    const cells = rows.map(({ node }) => {
      const { entry } = node;
      const owner = entry.uname === '' ? String(entry.uid) : escapeName(entry.uname);
      const group = entry.gname === '' ? String(entry.gid) : escapeName(entry.gname);
      const size = isDevice(node) ? `${entry.devMajor}, ${entry.devMinor}` : String(sizeOf(entry));
      return [String(node.nlink), owner, group, size];
    });
    for (const row of cells) {
      for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i]!, width(cell));
    }
    return rows
      .map(({ node, name }, row) => {
        const [links, owner, group, size] = cells[row]!.map((cell, i) =>
          pad(cell, { width: widths[i]!, align: i === 0 || i === 3 ? 'right' : 'left' }),
        );
        const { type, mode, mtime, mtimeNanos } = node.entry;
        const target = linkSuffix(node.entry);
        const time = isoTime(mtime, mtimeNanos, 0);
        return `${modeString(type, mode)} ${links} ${owner} ${group} ${size} ${time} ${name}${target}\n`;
      })
      .join('');
  };
}

function isDevice(node: Node): boolean {
  return node.entry.type === 'char' || node.entry.type === 'block';
}
