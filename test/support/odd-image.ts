import { join } from 'node:path';
import { writeLayout } from './layout-builder.js';
import { member, pax, sparseMember, tar } from './tar-builder.js';

/** Bytes that do not compress, the same every time. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

export const LARGE = noise(700_000);
export const SPARSE_SIZE = 3_000_000;

/**
 * A layout of two layers in `folder` with what real images have too seldom for a test: every type, odd names, xattrs, modes,
 * times, holes, links that lead nowhere. Returns its name as a target.
 */
export function writeOddImage(folder: string): string {
  const directory = join(folder, 'layout');
  const base = tar(
    member({ name: './', type: '5', mode: 0o755 }),
    member({ name: 'etc/', type: '5', mode: 0o755, mtime: 1_000_000_000 }),
    member({ name: 'etc/motd', mode: 0o644, mtime: 1_000_000_000, uname: 'root', gname: 'root' }, 'hello\n'),
    member({ name: 'etc/gone', mode: 0o644 }, 'whited out'),
    member({ name: 'empty', mode: 0o600, uid: 1000, gid: 100, uname: 'ann', gname: 'users' }),
    member({ name: 'large', mode: 0o644 }, LARGE),
    sparseMember('old', { name: 'sparse', size: SPARSE_SIZE, runs: [[1_000_000, Buffer.from('middle')]] }),
    member({ name: 'tmp/', type: '5', mode: 0o1777 }),
    member({ name: 'console', type: '3', mode: 0o620, devMajor: 5, devMinor: 1 }),
    member({ name: 'pipe', type: '6', mode: 0o600 }),
    member({ name: 'abs', type: '2', mode: 0o777, link: '/etc/motd' }),
    member({ name: 'loop', type: '2', mode: 0o777, link: 'loop' }),
    member({ name: 'dangling', type: '2', mode: 0o777, link: 'nowhere/at/all' }),
    member({ name: 'dirlink', type: '2', mode: 0o777, link: 'etc' }),
    member({ name: 'missing/parents/file', mode: 0o644 }, 'deep\n'),
  );
  const upper = tar(
    member({ name: 'etc/.wh.gone' }),
    pax([
      ['SCHILY.xattr.user.note', 'plain text'],
      ['SCHILY.xattr.security.capability', '\x01\0\0\x02\xff'],
      ['mtime', '-1.5'],
    ]),
    member({ name: 'suid', mode: 0o4755 }, 'suid\n'),
    member({ name: 'suid.linked', type: '1', link: 'suid' }),
    member({ name: 'new\nline', mode: 0o644 }, 'newline\n'),
    member({ name: 'caf\xe9', mode: 0o644 }, 'latin1\n'),
    member({ name: 'back\\x41slash', mode: 0o644 }, 'literal\n'),
  );
  writeLayout(directory, [base, upper]);
  return `oci:${directory}:latest`;
}
