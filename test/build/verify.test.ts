import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { ByteString } from '../../src/bytes.js';
import { bufferSource } from '../../src/format/buffer-source.js';
import { encodeImage } from '../../src/format/image-encoder.js';
import { createLayerEncoder } from '../../src/format/layer-encoder.js';
import { openLayerSection } from '../../src/format/layer-section.js';
import type { Span } from '../../src/format/model.js';
import { openIndex } from '../../src/format/open-index.js';
import type { Entry } from '../../src/tree/entry.js';
import type { MergedNode } from '../../src/tree/merged-node.js';
import { allOf } from '../support/all-of.js';
import { writeLayout } from '../support/layout-builder.js';
import { merged } from '../support/merged.js';
import { clip, type Run, tempDir } from '../support/run-clip.js';
import { MAGIC, member, tar } from '../support/tar-builder.js';
import { noise } from '../support/test-image.js';

const BIG = Buffer.from(noise(600_000)).toString('latin1');

/** A layout of two layers with its index, both to be damaged. */
async function world(t: TestContext) {
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  const lower = tar(
    member({ name: 'etc/', type: '5', mode: 0o755 }),
    member({ name: 'etc/passwd', mode: 0o644 }, 'root:x:0:0\n'),
    member({ name: 'etc/shadow', mode: 0o600 }, 'root:*\n'),
    member({ name: 'big', magic: MAGIC.gnu }, BIG),
    member({ name: 'later' }, 'after the big one'),
  );
  const upper = tar(member({ name: 'etc/passwd', mode: 0o644 }, 'root:x:0:0\nme:x:1:1\n'));
  writeLayout(layout, [lower, upper]);
  const index = join(dir, 'image.clip');
  const built = await clip(['index', `oci:${layout}`, '-o', index, '--spacing', '128K'], { cacheDir: dir });
  assert.equal(built.status, 0, built.stderr);
  return { dir, layout, index };
}

const verify = (at: { dir: string; index: string }, ...more: string[]): Promise<Run> =>
  clip(['verify', at.index, '--json', ...more], { cacheDir: at.dir });

interface Report {
  ok: boolean;
  files: number;
  layers: { digest: string; ok: boolean }[];
  problems: { code: string; about: string; layer: string | null; path: string | null; message: string }[];
}

function reportOf(run: Run): Report {
  return JSON.parse(run.stdout.toString()) as Report;
}

interface Lies {
  entries?: (entries: Entry[]) => Entry[];
  spans?: (spans: Span[]) => Span[];
  nodes?: (nodes: MergedNode[]) => MergedNode[];
  facts?: { diffId?: string };
}

/** Writes the index anew with lies in its first layer or its tree; every digest in it holds. */
async function forge(path: string, lies: Lies): Promise<void> {
  const index = await openIndex(bufferSource(readFileSync(path)));
  const description = await index.describe();
  const layers: { section: Uint8Array; mediaType: string }[] = [];
  const trees: Entry[][] = [];
  for (const [i, info] of index.layers.entries()) {
    const opened = await openLayerSection(bufferSource(await index.layerSection(i)));
    const lying = i === 0 ? lies : {};
    const honest = await allOf(opened.entries());
    const entries = lying.entries?.(honest) ?? honest;
    const encoder = createLayerEncoder({ spacing: opened.spacing });
    const spans = await opened.spans(0, info.uncompressedSize);
    const told = lying.spans?.(spans) ?? spans;
    for (const [n, span] of spans.entries()) encoder.span(told[n]!, await opened.spanContext(span));
    layers.push({
      section: encoder.finish({ ...info, ...lying.facts, entries }),
      mediaType: info.mediaType,
    });
    trees.push(entries);
  }
  const nodes = merged(trees);
  const { manifest, manifestMediaType, config, platform, spacing } = description;
  const about = { manifest, manifestMediaType, config, platform, spacing, sourceHint: index.sourceHint };
  writeFileSync(path, Buffer.concat(encodeImage({ layers, nodes: lies.nodes?.(nodes) ?? nodes, ...about })));
}

test('an index and image that hold', async (t) => {
  const at = await world(t);
  const run = await verify(at);
  assert.equal(run.status, 0, run.stderr);
  const { ok, files, layers, problems } = reportOf(run);
  assert.deepEqual(
    { ok, files, problems, layers: layers.map((layer) => layer.ok) },
    {
      ok: true,
      files: 4,
      problems: [],
      layers: [true, true],
    },
  );
});

test('a forged index that tells the truth is found to (the forger below makes no other difference)', async (t) => {
  const at = await world(t);
  const before = readFileSync(at.index);
  await forge(at.index, {});
  assert.ok(readFileSync(at.index).equals(before));
});

test('a blob that is damaged at its place: the layer and just the files in the damaged span', async (t) => {
  const at = await world(t);
  const blobs = join(at.layout, 'blobs/sha256');
  const [largest] = readdirSync(blobs)
    .map((name) => ({ path: join(blobs, name), bytes: readFileSync(join(blobs, name)) }))
    .sort((a, b) => b.bytes.length - a.bytes.length);
  const { path, bytes } = largest!;
  bytes[bytes.length >> 1]! ^= 0x10;
  writeFileSync(path, bytes);
  const run = await verify(at);
  assert.equal(run.status, 6, run.stderr);
  const { ok, files, layers, problems } = reportOf(run);
  assert.equal(ok, false);
  assert.deepEqual(
    layers.map((layer) => layer.ok),
    [false, true],
  );
  assert.deepEqual(
    problems.filter((problem) => problem.about === 'layer').map(({ code }) => code),
    ['DIGEST_MISMATCH'],
  );
  assert.deepEqual(
    problems.filter((problem) => problem.about === 'file').map((problem) => problem.path),
    ['/big'],
  );
  assert.equal(files, 3);
});

test('what was read before a damaged file is counted once', async (t) => {
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  writeLayout(layout, [
    tar(
      member({ name: 'a' }, 'twelve bytes'),
      member({ name: 'b', magic: MAGIC.gnu }, BIG),
      member({ name: 'z' }, 'end'),
    ),
  ]);
  const index = join(dir, 'image.clip');
  const built = await clip(['index', `oci:${layout}`, '-o', index, '--spacing', '128K'], { cacheDir: dir });
  assert.equal(built.status, 0, built.stderr);
  const blob = readdirSync(join(layout, 'blobs/sha256'))
    .map((name) => join(layout, 'blobs/sha256', name))
    .sort((a, b) => readFileSync(b).length - readFileSync(a).length)[0]!;
  const bytes = readFileSync(blob);
  bytes[bytes.length >> 1]! ^= 0x10;
  writeFileSync(blob, bytes);
  const { files, bytes: read } = JSON.parse((await verify({ dir, index })).stdout.toString());
  assert.deepEqual({ files, read }, { files: 2, read: 'twelve bytesend'.length });
});

test('a blob that is gone is told, and the rest is looked at', async (t) => {
  const at = await world(t);
  const index = await openIndex(bufferSource(readFileSync(at.index)));
  const { rm } = await import('node:fs/promises');
  await rm(join(at.layout, 'blobs', index.layers[0]!.digest.replace(':', '/')));
  const run = await verify(at);
  const { files, problems } = reportOf(run);
  assert.equal(run.status, 3, run.stderr);
  assert.equal(files, 1);
  assert.deepEqual(
    problems.map(({ about, code }) => `${about} ${code}`),
    ['layer NOT_FOUND', 'file NOT_FOUND'],
  );
});

/** /etc/passwd is said to lie where /etc/shadow does, and the other way round. */
function swapPasswords(all: Entry[]): Entry[] {
  const [passwd, shadow] = ['etc/passwd', 'etc/shadow'].map(
    (name) => all.find((entry) => entry.path === name)!,
  );
  const { position, size } = passwd!;
  return all.map((entry) => {
    if (entry === passwd) return { ...entry, position: shadow!.position, size: shadow!.size };
    return entry === shadow ? { ...entry, position, size } : entry;
  });
}

const path = (text: string) => text as ByteString;

const lies: [string, Lies, RegExp][] = [
  [
    'a mode of an entry',
    {
      entries: (all) =>
        all.map((entry) => (entry.path === 'etc/shadow' ? { ...entry, mode: 0o4777 } : entry)),
    },
    /first at \/etc\/shadow/,
  ],
  ['where a file lies', { entries: swapPasswords }, /first at \/etc\/passwd/],
  [
    'an entry that is missing',
    { entries: (all) => all.filter((entry) => entry.path !== 'later') },
    /first at \/later/,
  ],
  [
    'an entry that is none',
    {
      entries: (all) =>
        all.flatMap((entry) =>
          entry.path === 'later'
            ? [entry, { ...entry, path: path('later2'), position: entry.position + 512 }]
            : [entry],
        ),
    },
    /first at \/later2/,
  ],
  [
    'a digest of a span',
    { spans: (all) => all.map((span, i) => (i === 1 ? { ...span, digest: '0'.repeat(64) } : span)) },
    /span 1 differs/,
  ],
  ['a diffID', { facts: { diffId: `sha256:${'1'.repeat(64)}` } }, /sizes or digests differ|diffIDs/],
  [
    'a name in the tree that is left out',
    { nodes: (all) => all.filter((node) => node.path !== 'etc/shadow') },
    /\/etc\/shadow/,
  ],
];

for (const [what, lie, expected] of lies) {
  test(`an index that lies with digests that hold: ${what}`, async (t) => {
    const at = await world(t);
    await forge(at.index, lie);
    const run = await verify(at);
    assert.equal(run.status, 6, run.stderr);
    assert.match(
      reportOf(run)
        .problems.map((problem) => problem.message)
        .join('\n'),
      expected,
    );
    assert.match(run.stderr, /does not hold/);
  });
}

test('all problems are told, as text too', async (t) => {
  const at = await world(t);
  await forge(at.index, {
    entries: (all) => all.map((entry) => ({ ...entry, mode: 0o777 })),
    nodes: (all) => all.filter((node) => node.path !== 'etc/passwd'),
  });
  const run = await clip(['verify', at.index], { cacheDir: at.dir });
  assert.equal(run.status, 6);
  const lines = run.stdout.toString().trimEnd().split('\n');
  assert.equal(lines.length, 3);
  assert.match(lines[0]!, /^CORRUPT_INDEX layer sha256:/);
  assert.match(lines[1]!, /^CORRUPT_INDEX tree: .*\/etc\/passwd/);
  assert.match(lines[2]!, /2 problems$/);
});

test('an image whose config has a wrong diffID has no index that could be verified', async (t) => {
  const dir = await tempDir(t);
  const layout = join(dir, 'layout');
  writeLayout(layout, [tar(member({ name: 'a' }, 'x'))]);
  const { createHash } = await import('node:crypto');
  const blobs = join(layout, 'blobs/sha256');
  const put = (value: object) => {
    const bytes = JSON.stringify(value);
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const top = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  const blob = (digest: string) => JSON.parse(readFileSync(join(blobs, digest.slice(7)), 'utf8'));
  const manifest = blob(top.manifests[0].digest);
  const config = blob(manifest.config.digest);
  config.rootfs.diff_ids = [`sha256:${'2'.repeat(64)}`];
  const wrong = put({ ...manifest, config: { ...manifest.config, ...put(config) } });
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({ ...top, manifests: [{ ...top.manifests[0], ...wrong }] }),
  );
  const run = await clip(['verify', `oci:${layout}`], { cacheDir: dir });
  assert.equal(run.status, 6);
  assert.match(run.stderr, /DIGEST_MISMATCH/);
});
