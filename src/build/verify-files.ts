import { ClipError, EXIT } from '../errors.js';
import type { ImageReader } from '../read/reader.js';
import { storedBytes } from '../tree/entry.js';
import { FirstNames } from '../tree/first-names.js';
import type { Node } from '../tree/node.js';
import { NodeBatch } from '../tree/node-batch.js';
import type { VerifyOptions } from './verify-checking.js';
import type { Findings } from './verify-report.js';

/** Files that are read together; where one of them fails each is read alone, to tell which. */
const TOGETHER = { nodes: 2048, bytes: 8 << 20 };

/** Reads every file once, each under the first of its names. */
export async function checkFiles(
  reader: ImageReader,
  findings: Findings,
  { observer, signal }: VerifyOptions,
): Promise<{ files: number; bytes: number }> {
  const read = { files: 0, bytes: 0 };
  const total = reader.index.layers.reduce((sum, layer) => sum + layer.uncompressedSize, 0);
  const batch = new NodeBatch(TOGETHER);
  let done = 0;
  /** Layers whose bytes cannot be had at all: told once. */
  const absent = new Set<number>();
  const cancel = signal ? { signal } : {};

  async function flush(): Promise<void> {
    const nodes = batch.take().filter((node) => !absent.has(node.layer));
    try {
      const together = { files: 0, bytes: 0 };
      for await (const { bytes, zeros, last } of await reader.readFiles(nodes, cancel)) {
        if (last) together.files++;
        together.bytes += bytes.byteLength + zeros;
      }
      read.files += together.files;
      read.bytes += together.bytes;
    } catch {
      signal?.throwIfAborted();
      for (const node of nodes) await readAlone(node);
    }
    for (const node of nodes) done += storedBytes(node.entry);
    observer.emit({ type: 'progress', task: 'reading files', done, total, unit: 'bytes' });
  }

  async function readAlone(node: Node): Promise<void> {
    if (absent.has(node.layer)) return;
    try {
      let size = 0;
      for await (const bytes of reader.read(node, cancel)) size += bytes.byteLength;
      read.bytes += size;
      read.files++;
    } catch (error) {
      const layer = reader.index.layers[node.layer]?.digest;
      const about = layer === undefined ? { about: 'file' as const } : { about: 'file' as const, layer };
      findings.caught(error, { ...about, path: node.path });
      if (error instanceof ClipError && error.exitStatus !== EXIT.integrity) absent.add(node.layer);
    }
  }

  try {
    const firsts = new FirstNames();
    for await (const nodes of reader.index.walk('' as Node['path'])) {
      for (const node of nodes) {
        if (node.entry.type !== 'file' || firsts.of(node) !== node.path) continue;
        batch.add(node);
      }
      if (batch.isFull) await flush();
    }
    await flush();
  } catch (error) {
    findings.caught(error, { about: 'tree' });
  }
  observer.emit({ type: 'progress', task: 'reading files', done: total, total, unit: 'bytes' });
  return read;
}
