import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readTree } from './tar-walk.js';

/**
 * Everything that a file system knows of the tree at `root`, one line a name and one an attribute: type, mode, owner, time in
 * nanoseconds, size, link target, device, SHA-256 of the bytes, all names of the inode, and extended attributes in hex.
 */
export function listTree(root: string): string[] {
  const tree = readTree(root);
  const names = new Map<bigint, string[]>();
  for (const { inode, path } of tree.values()) names.set(inode, [...(names.get(inode) ?? []), path]);
  const lines = [...tree.values()].map((node) => {
    const { path, type, mode, uid, gid, mtimeNs, size, link, rdev, data, inode } = node;
    const digest = createHash('sha256').update(data).digest('hex');
    const facts = [
      type,
      mode.toString(8),
      `${uid}:${gid}`,
      mtimeNs,
      size,
      JSON.stringify(link),
      rdev,
      digest,
    ];
    return `${JSON.stringify(path)} ${facts.join(' ')} ${JSON.stringify(names.get(inode))}`;
  });
  return [...lines, ...attributesOf(root)];
}

function attributesOf(root: string): string[] {
  const text = execFileSync('getfattr', ['-R', '-h', '-P', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: root,
    encoding: 'latin1',
  });
  const lines: string[] = [];
  for (const block of text.split('\n\n')) {
    const [file, ...attributes] = block.split('\n').filter((line) => line !== '');
    for (const attribute of attributes.sort()) lines.push(`${file} ${attribute}`);
  }
  return lines.sort();
}
