/** The inputs that earlier runs found: test/fuzz/corpus/<target>/<digest>, one file an input, in the repository. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Bytes that one target's corpus may take; what is longer than a quarter of it is not kept at all. */
const MOST_BYTES = 100_000;

/** In the sources, seen from dist/test/fuzz/. */
const ROOT = new URL('../../../test/fuzz/corpus/', import.meta.url);

function folderOf(target: string): string {
  return fileURLToPath(new URL(`${target}/`, ROOT));
}

export function loadCorpus(target: string): { name: string; input: Buffer }[] {
  let names: string[];
  try {
    names = readdirSync(folderOf(target)).sort();
  } catch {
    return [];
  }
  return names.map((name) => ({ name, input: readFileSync(folderOf(target) + name) }));
}

/**
 * Replaces a target's corpus, but for the inputs of bugs (`bug-…`), which stay for good. `inputs` come smallest first; those that
 * do not fit any more are left out. Returns how many there are now.
 */
export function saveCorpus(target: string, inputs: readonly Uint8Array[]): number {
  const folder = folderOf(target);
  mkdirSync(folder, { recursive: true });
  for (const { name } of loadCorpus(target)) if (!name.startsWith('bug-')) rmSync(folder + name);
  let total = 0;
  let count = 0;
  for (const input of inputs) {
    if (input.length > MOST_BYTES / 4 || total + input.length > MOST_BYTES) break;
    total += input.length;
    count++;
    writeFileSync(folder + nameOf(input), input);
  }
  return count;
}

export function saveBug(target: string, input: Uint8Array): string {
  mkdirSync(folderOf(target), { recursive: true });
  const path = `${folderOf(target)}bug-${nameOf(input)}`;
  writeFileSync(path, input);
  return path;
}

function nameOf(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex').slice(0, 16);
}
