// Sparse files whose runs are no whole blocks: readers of tar differ in where the next run begins, so what `clip export` writes of
// them is read by each reader there is, byte for byte.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { writeLayout } from '../support/layout-builder.js';
import { needs } from '../support/needs.js';
import { noise } from '../support/odd-image.js';
import { clip, run, tempDir } from '../support/run-clip.js';
import { type SparseFile, sparseMember, tar } from '../support/tar-builder.js';
import { readEntry, walkTar } from '../support/tar-walk.js';

const MiB = 1 << 20;

/** A file with runs of noise at these offsets, of these lengths. */
const file = (name: string, size: number, ...runs: [at: number, length: number][]): SparseFile => ({
  name,
  size,
  runs: runs.map(([at, length]) => [at, noise(length, at + 1)]),
});

const FILES: SparseFile[] = [
  file('whole-blocks', 3 * MiB, [0, 512], [MiB, 1024], [2 * MiB, 4096]),
  file('odd-lengths', 3 * MiB, [0, 1], [MiB, 513], [2 * MiB, 511]),
  file('odd-offsets', 3 * MiB, [3, 509], [MiB + 7, 512], [2 * MiB + 511, 2]),
  file('many-in-one-block', 2 * MiB, [MiB, 10], [MiB + 20, 10], [MiB + 500, 24], [MiB + 1030, 1]),
  file('neighbours', 2 * MiB, [MiB, 512], [MiB + 512, 100], [MiB + 1024, 100]),
  file('to-the-end', 2 * MiB + 77, [5, 5], [2 * MiB + 1, 76]),
  file('last-byte', 2 * MiB + 1, [2 * MiB, 1]),
  file('hole-at-the-odd-end', 2 * MiB + 77, [2 * MiB - 5, 3]),
  file('hole-within-the-last-block', 2 * MiB + 77, [MiB, 1], [2 * MiB + 1, 20]),
  file('only-holes', 2 * MiB + 5),
  // Every block of it has a byte: as many zeros as a hole would have.
  file(
    'a-byte-in-each-block',
    2 * MiB,
    ...Array.from({ length: 4096 }, (_, i) => [512 * i + 9, 1] as [number, number]),
  ),
  file('small-holes', 3000, [700, 1], [1600, 700]),
];

function contents({ size, runs }: SparseFile): Buffer {
  const bytes = Buffer.alloc(size);
  for (const [at, data] of runs) data.copy(bytes, at);
  return bytes;
}

let archive: Buffer;

before(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'clip-sparse-'));
  try {
    writeLayout(join(dir, 'layout'), [tar(...FILES.map((of) => sparseMember('1.0', of)))]);
    const done = await clip(['export', `oci:${join(dir, 'layout')}`], { cacheDir: join(dir, 'cache') });
    assert.equal(done.status, 0, done.stderr);
    archive = done.stdout;
  } finally {
    rmSync(dir, { recursive: true });
  }
});

const READERS: Record<string, readonly string[]> = {
  tar: ['-x', '-f', '-'],
  bsdtar: ['-x', '-f', '-'],
  python3: ['-c', 'import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall()'],
};

for (const [program, args] of Object.entries(READERS)) {
  test(`an export of sparse files of odd runs, read by ${program}`, async (t) => {
    if (!needs(t, program)) return;
    const cwd = await tempDir(t);
    const done = await run(program, args, { cwd, input: archive });
    assert.deepEqual([done.status, done.stderr], [0, '']);
    for (const of of FILES) assert.ok(readFileSync(join(cwd, of.name)).equals(contents(of)), of.name);
  });
}

test('an export of sparse files of odd runs, read by clip itself; the holes are not in it', () => {
  const entries = walkTar(archive).filter(({ type }) => type === 'file');
  for (const of of FILES) {
    const entry = entries.find(({ path }) => path === of.name);
    assert.ok(entry && readEntry(archive, entry).equals(contents(of)), of.name);
  }
  const dense = FILES.find(({ name }) => name === 'a-byte-in-each-block')!;
  assert.ok(archive.length < dense.size + 100_000, `${archive.length}`);
});
