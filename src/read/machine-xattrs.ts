/**
 * Extended attributes that say something of the machine where a layer was made and would say it of the one where it is unpacked:
 * what an overlay file system keeps for itself (in a folder that becomes a lower directory of one, it hides and redirects names), and
 * labels and lists of access that the system gives. umoci leaves out the same ones when it unpacks.
 */
import type { Entry } from '../tree/entry.js';

const NAMES: ReadonlySet<string> = new Set(['security.selinux', 'system.nfs4_acl']);
const OVERLAY = 'trusted.overlay.';

function isOfMachine(name: string): boolean {
  return NAMES.has(name) || name.startsWith(OVERLAY);
}

/** The entry without them, or itself where it has none. */
export function withoutMachineXattrs(entry: Entry): Entry {
  if (!entry.xattrs.some(([name]) => isOfMachine(name))) return entry;
  return { ...entry, xattrs: entry.xattrs.filter(([name]) => !isOfMachine(name)) };
}

/** What to say of the names that had some. */
export function machineXattrsSentence(count: number): [count: number, text: string] {
  const names = count === 1 ? 'name' : 'names';
  return [
    count,
    `SELinux, NFSv4 and overlay attributes of ${count} ${names} left out: they are of a machine`,
  ];
}
