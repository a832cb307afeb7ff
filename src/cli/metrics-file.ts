import { randomBytes } from 'node:crypto';
import { realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { errnoOf, isDiskFull } from '../errno.js';
import { ClipError } from '../errors.js';
import { escapeText } from '../escape.js';

/** Writes the file whole or not at all, as node_exporter's textfile collector wants it; a pipe or a device is written to. Throws ClipError IO or NO_SPACE. */
export async function writeMetrics(named: string, text: string): Promise<void> {
  // A link stays, and what it leads to is replaced.
  const path = await realpath(named).catch(() => named);
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    // A name that is taken away must not be a device's: root would lose /dev/stdout.
    const there = await stat(path).catch(() => undefined);
    if (there && !there.isFile()) return await writeFile(path, text);
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    if (isDiskFull(error)) {
      throw new ClipError('NO_SPACE', `no space left to write the metrics to ${escapeText(path)}`, {
        hint: 'free some space there, or name a file elsewhere',
        cause: error,
      });
    }
    throw new ClipError(
      'IO',
      `cannot write the metrics to ${escapeText(path)}: ${errnoOf(error) ?? String(error)}`,
      {
        hint: 'name a file in a folder that is there and that you may write to',
        cause: error,
      },
    );
  }
}
