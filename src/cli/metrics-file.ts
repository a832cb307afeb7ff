import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { ClipError } from '../errors.js';
import { escapeText } from '../escape.js';

/** Writes the file whole or not at all, as node_exporter's textfile collector wants it. Throws ClipError IO. */
export async function writeMetrics(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new ClipError('IO', `cannot write the metrics to ${escapeText(path)}: ${reason}`, {
      hint: 'see --metrics',
      cause: error,
    });
  }
}
