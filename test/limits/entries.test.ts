/** Layers of very many entries, and of very long names. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { writeLayout, writePackedLayout } from '../support/layout-builder.js';
import { tempDir } from '../support/run-clip.js';
import { endOfArchive, gnuLong, header, member, pax, sign, tar } from '../support/tar-builder.js';
import { measure } from './measured.js';

/** MiB for a million entries; docs/security.md, "Memory". */
const MOST_MEMORY = 768;
const MILLION = 1_000_000;

/** A gzip member for every so many headers. */
const BATCH = 20_000;

/** A layer of empty files; `nameOf` gives each number's name, of 12 bytes. */
function manyEntries(count: number, nameOf: (number: string) => string) {
  const hash = createHash('sha256');
  const members: Buffer[] = [];
  const template = header({ name: 'd/00/0000000', mode: 0o644 });
  for (let first = 0; first < count; first += BATCH) {
    const batch = Buffer.alloc(BATCH * 512);
    for (let i = 0; i < BATCH; i++) {
      const block = batch.subarray(i * 512, i * 512 + 512);
      template.copy(block);
      const number = String(first + i).padStart(7, '0');
      block.write(nameOf(number), 'latin1');
    }
    mend(batch);
    hash.update(batch);
    members.push(gzipSync(batch, { level: 1 }));
  }
  hash.update(endOfArchive);
  members.push(gzipSync(endOfArchive));
  return {
    blob: Buffer.concat(members),
    diffId: `sha256:${hash.digest('hex')}`,
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  };
}

/** The sum of the first block, corrected by the digits that differ: a sum over all bytes of a million headers takes seconds. */
function mend(batch: Buffer): void {
  const first = sign(Buffer.from(batch.subarray(0, 512)));
  const nameSum = (block: Buffer) => block.subarray(0, 12).reduce((sum, byte) => sum + byte, 0);
  const base = Number.parseInt(first.toString('latin1', 148, 154), 8) - nameSum(first);
  for (let at = 0; at < batch.length; at += 512) {
    const block = batch.subarray(at, at + 512);
    block.write(`${(base + nameSum(block)).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
}

test('a million entries in one layer', async (t) => {
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  writePackedLayout(layout, [manyEntries(MILLION, (number) => `d/${number.slice(0, 2)}/${number}`)]);
  const file = join(dir, 'i');
  const index = await measure(['index', `oci:${layout}:latest`, '-o', file], dir);
  assert.equal(index.status, 0, index.stderr);
  t.diagnostic(`index: ${Math.round(index.peak)} MiB, ${index.seconds.toFixed(1)} s`);
  assert.ok(index.peak < MOST_MEMORY, `${index.peak} MiB`);
  const out = join(dir, 'out');
  const commands: [name: string, most: number, args: string[]][] = [
    ['stat', 192, ['stat', file, 'd/07/0765432']],
    ['ls -R', 256, ['ls', '-R', file]],
    ['export', 384, ['export', file]],
    ['verify', 1024, ['verify', file]],
    ['extract of 200,000', 512, ['extract', file, '/d/0[01]', '-C', out]],
  ];
  for (const [name, most, args] of commands) {
    const run = await measure(args, dir);
    assert.equal(run.status, 0, run.stderr);
    t.diagnostic(`${name}: ${Math.round(run.peak)} MiB, ${run.seconds.toFixed(1)} s`);
    assert.ok(run.peak < most, `${name}: ${run.peak} MiB`);
  }
  assert.equal(readdirSync(join(out, 'd')).length, 2);
});

test('half a million names in one directory', async (t) => {
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  writePackedLayout(layout, [manyEntries(MILLION / 2, (number) => `d/${number}00000`.slice(0, 12))]);
  const file = join(dir, 'i');
  assert.equal((await measure(['index', `oci:${layout}:latest`, '-o', file], dir)).status, 0);
  for (const flags of [[], ['-l'], ['--json']]) {
    const ls = await measure(['ls', ...flags, file, '/d'], dir);
    assert.equal(ls.status, 0, ls.stderr);
    const lines = ls.stdout.toString('latin1').split('\n');
    assert.equal(lines.length, MILLION / 2 + 1);
    if (flags[0] === '-l') assert.equal(new Set(lines.slice(0, -1).map(({ length }) => length)).size, 1);
    t.diagnostic(`ls ${flags.join('')}: ${Math.round(ls.peak)} MiB, ${ls.seconds.toFixed(1)} s`);
    assert.ok(ls.peak < 256, `ls ${flags.join('')}: ${ls.peak} MiB`);
  }
});

/** What `clip index` says about an image of one layer, in at most `most` MiB. */
async function refusal(t: TestContext, layer: Buffer, most: number) {
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  writeLayout(layout, [layer]);
  const run = await measure(['index', `oci:${layout}:latest`, '-o', join(dir, 'i')], dir);
  t.diagnostic(`${Math.round(run.peak)} MiB, ${run.seconds.toFixed(1)} s`);
  assert.ok(run.peak < most, `${run.peak} MiB`);
  assert.ok(run.seconds < 20, `${run.seconds} s`);
  return { status: run.status, code: /\(([A-Z_]+)\)$/m.exec(run.stderr)?.[1], stderr: run.stderr };
}

interface Refused {
  layer: Buffer | (() => Buffer);
  code: string;
  status: number;
  /** MiB; default 256. */
  most?: number;
}

const REFUSED: Readonly<Record<string, Refused>> = {
  'a file of eight exbibytes': {
    layer: tar(header({ name: 'huge', size: 2 ** 52 })),
    code: 'CORRUPT_TAR',
    status: 6,
  },
  'a PAX header of four gigabytes': {
    layer: tar(header({ name: 'x', type: 'x', size: 2 ** 32 })),
    code: 'LIMIT',
    status: 1,
  },
  'a global PAX header of four gigabytes': {
    layer: tar(header({ name: 'g', type: 'g', size: 2 ** 32 })),
    code: 'LIMIT',
    status: 1,
  },
  'a GNU name of four gigabytes': {
    layer: tar(header({ name: 'L', type: 'L', size: 2 ** 32, magic: 'ustar  \0' })),
    code: 'LIMIT',
    status: 1,
  },
  'a PAX record that announces more than its header has': {
    layer: tar(pax([]), member({ name: 'x', type: 'x' }, '99999999999 path=a\n'), member({})),
    code: 'CORRUPT_TAR',
    status: 6,
  },
  'a path of half a million components': {
    layer: tar(pax([['path', `${'a/'.repeat(500_000)}a`]]), member({})),
    code: 'LIMIT',
    status: 1,
  },
  'a path of 30,000 components': {
    layer: tar(gnuLong('L', `${'a/'.repeat(30_000)}a`), member({})),
    code: 'LIMIT',
    status: 1,
  },
  'more missing parents than memory': {
    layer: tar(
      ...Array.from({ length: 100 }, (_, i) =>
        Buffer.concat([gnuLong('L', `${i}/${'a/'.repeat(4000)}a`), member({})]),
      ),
    ),
    code: 'LIMIT',
    status: 1,
  },
  'more attributes than memory': {
    layer: () =>
      many(70, (i) => [
        pax([['SCHILY.xattr.user.a', `${i}${'v'.repeat(1_000_000)}`]]),
        member({ name: `${i}` }),
      ]),
    code: 'LIMIT',
    status: 1,
    most: 512,
  },
  'more runs of sparse files than memory': {
    layer: () => many(9, (i) => [sparseFile(`s${i}`, 120_000)]),
    code: 'LIMIT',
    status: 1,
  },
  'more bytes of link targets than memory': {
    layer: () =>
      many(17_000, (i) => [gnuLong('K', `${i}/${'a'.repeat(16_000)}`), member({ name: `${i}`, type: '2' })]),
    code: 'LIMIT',
    status: 1,
    most: 768,
  },
};

function many(count: number, member: (i: number) => Buffer[]): Buffer {
  return tar(...Array.from({ length: count }, (_, i) => Buffer.concat(member(i))));
}

/** PAX 1.0, with every second byte a run. */
function sparseFile(name: string, runs: number): Buffer {
  const map = [runs, ...Array.from({ length: runs }, (_, i) => `${2 * i}\n1`)].join('\n');
  const data = Buffer.from(`${map}\n`);
  const padding = Buffer.alloc((512 - (data.length % 512)) % 512);
  const records = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', name],
    ['GNU.sparse.realsize', String(2 * runs)],
  ] as const;
  return Buffer.concat([
    pax(records),
    member({ name: 'x' }, Buffer.concat([data, padding, Buffer.alloc(runs, 'r')])),
  ]);
}

for (const [name, { layer, code, status, most = 256 }] of Object.entries(REFUSED)) {
  test(`${name}: ${code}`, async (t) => {
    const refused = await refusal(t, typeof layer === 'function' ? layer() : layer, most);
    assert.equal(refused.code, code, refused.stderr);
    assert.equal(refused.status, status, refused.stderr);
    assert.match(refused.stderr, /^hint: /m);
  });
}

test('a sparse file of four pebibytes is indexed, and read in bounded memory', async (t) => {
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  const records = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', 'sparse'],
    ['GNU.sparse.realsize', String(2 ** 52)],
  ] as const;
  writeLayout(layout, [tar(pax(records), member({ name: 'x' }, `0\n${'\0'.repeat(510)}`))]);
  const file = join(dir, 'i');
  const index = await measure(['index', `oci:${layout}:latest`, '-o', file], dir);
  assert.equal(index.status, 0, index.stderr);
  const args = ['cat', file, 'sparse', '--offset', String(2 ** 51), '--length', '1000'];
  const cat = await measure(args, dir);
  assert.equal(cat.status, 0, cat.stderr);
  assert.deepEqual(cat.stdout, Buffer.alloc(1000));
  assert.ok(index.peak < 256 && cat.peak < 256, `${index.peak} and ${cat.peak} MiB`);
});

test('symlink loops and chains end, from the command line too', async (t) => {
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  const link = (name: string, to: string) => member({ name, type: '2', link: to });
  const chain = Array.from({ length: 60 }, (_, i) => link(`c${i}`, `c${i + 1}`));
  writeLayout(layout, [
    tar(link('loop', 'loop'), link('a', 'b'), link('b', 'a'), ...chain, member({ name: 'c60' }, 'end')),
  ]);
  const file = join(dir, 'i');
  assert.equal((await measure(['index', `oci:${layout}:latest`, '-o', file], dir)).status, 0);
  for (const path of ['loop', 'a', 'loop/x/y', 'c0', 'c19']) {
    const { status, stderr } = await measure(['cat', file, path], dir);
    assert.equal(status, 3, stderr);
    assert.match(stderr, /\(LINK_LOOP\)$/m);
  }
  const { stdout } = await measure(['cat', file, 'c20'], dir);
  assert.equal(stdout.toString(), 'end');
});
