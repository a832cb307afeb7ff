import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ClipError, type ErrorCode } from '../../src/errors.js';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';
import type { Observer } from '../../src/observer.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { openSource } from '../../src/source/open.js';
import { resolveImage } from '../../src/source/resolve-image.js';
import { sha256 } from '../support/registry-store.js';
import { tempDir } from '../support/run-clip.js';
import { header, sparseMember } from '../support/tar-builder.js';
import { collect } from '../support/test-image.js';

interface Member {
  name: string;
  data?: Uint8Array;
  /** Written into the header instead of the data's length. */
  size?: number;
  link?: string;
}

/** An archive of files and links, whatever they say. */
function tarOf(members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ name, data = new Uint8Array(0), size = data.length, link }) => [
    header(link === undefined ? { name, size } : { name, type: '2', link }),
    Buffer.from(data),
    Buffer.alloc(-data.length & 511),
  ]);
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const LAYER = tarOf([{ name: 'hello', data: Buffer.from('hello') }]);
const CONFIG = Buffer.from(
  JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [sha256(LAYER)] },
  }),
);
const listing = (value: unknown): Member => ({
  name: 'manifest.json',
  data: Buffer.from(JSON.stringify(value)),
});
const LISTING = listing([{ Config: 'c.json', RepoTags: null, Layers: ['l/layer.tar'] }]);
const HONEST: Member[] = [{ name: 'c.json', data: CONFIG }, { name: 'l/layer.tar', data: LAYER }, LISTING];

const cases: [name: string, members: Member[], code: ErrorCode][] = [
  [
    'a layer that lies outside the archive',
    [HONEST[0]!, listing([{ Config: 'c.json', Layers: ['../../etc/passwd'] }])],
    'NOT_FOUND',
  ],
  [
    'a layer with an absolute name',
    [HONEST[0]!, listing([{ Config: 'c.json', Layers: ['/etc/passwd'] }])],
    'NOT_FOUND',
  ],
  [
    'a config that is a link out of the archive',
    [{ name: 'c.json', link: '/etc/passwd' }, ...HONEST.slice(1)],
    'NOT_FOUND',
  ],
  [
    'links in a circle',
    [{ name: 'c.json', link: 'd.json' }, { name: 'd.json', link: 'c.json' }, ...HONEST.slice(1)],
    'NOT_FOUND',
  ],
  ['a link to itself', [HONEST[0]!, { name: 'l/layer.tar', link: 'layer.tar' }, LISTING], 'NOT_FOUND'],
  ['two manifest.json', [...HONEST, LISTING], 'CORRUPT_IMAGE'],
  [
    'a manifest.json of 5 MiB',
    [...HONEST.slice(0, 2), { name: 'manifest.json', data: Buffer.alloc(5 << 20, 32) }],
    'LIMIT',
  ],
  ['a manifest.json that is no JSON', [{ name: 'manifest.json', data: Buffer.from('[{') }], 'CORRUPT_IMAGE'],
  ['a manifest.json of another shape', [listing({ Config: 1 })], 'CORRUPT_IMAGE'],
  [
    'a config with more diffIDs than layers',
    [HONEST[0]!, listing([{ Config: 'c.json', Layers: [] }])],
    'CORRUPT_IMAGE',
  ],
  [
    'a config that is a layer',
    [...HONEST.slice(1, 2), listing([{ Config: 'l/layer.tar', Layers: ['l/layer.tar'] }])],
    'CORRUPT_IMAGE',
  ],
  [
    'thousands of layers',
    [HONEST[0]!, listing([{ Config: 'c.json', Layers: Array(5000).fill('l/layer.tar') }])],
    'LIMIT',
  ],
  ['a size beyond the end', [{ name: 'c.json', data: CONFIG, size: 2 ** 32 }], 'CORRUPT_TAR'],
  [
    'a size that hides what follows',
    [{ name: 'c.json', data: CONFIG, size: 7000 }, ...HONEST.slice(1)],
    'CORRUPT_TAR',
  ],
  ['nothing', [], 'NOT_FOUND'],
];

for (const wrap of ['', 'gzip'] as const) {
  for (const [name, members, code] of cases) {
    test(`docker-archive ${wrap}: ${name} ends in ${code}`, async (t) => {
      const error = await fails(await written(t, tarOf(members), wrap), 'docker-archive');
      assert.equal(error.code, code, error.message);
    });
  }
}

test('names that lead out of the archive are only names: they are never opened', async (t) => {
  const members = [
    { name: '../../../etc/passwd', data: Buffer.from('x') },
    { name: '/abs', data: Buffer.from('y') },
  ];
  const folder = await written(t, tarOf([...members, ...HONEST]), '');
  const source = await openSource(parseImage(`docker-archive:${folder}/x.tar`), options(folder));
  const image = await resolveImage(source);
  assert.equal(image.layers[0]?.digest, sha256(LAYER));
  assert.deepEqual(await collect(source.blob(image.layers[0]!)), LAYER);
  await source.close();
});

test('oci-archive: two index.json, a manifest that is another, blobs that are missing', async (t) => {
  const index = (digest: string, size: number) => ({
    name: 'index.json',
    data: Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [{ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size }],
      }),
    ),
  });
  const wanted = `sha256:${'0'.repeat(64)}`;
  const one = index(wanted, 10);
  const cases: [Member[], ErrorCode][] = [
    [[one, one], 'CORRUPT_IMAGE'],
    [[one], 'NOT_FOUND'],
    [
      [one, { name: `blobs/sha256/${'0'.repeat(64)}`, data: Buffer.from('{"schemaVersion":2}') }],
      'DIGEST_MISMATCH',
    ],
    [[{ name: 'index.json', link: '../index.json' }], 'NOT_FOUND'],
    [[{ name: 'index.json', data: Buffer.from('[]') }], 'CORRUPT_IMAGE'],
  ];
  for (const [members, code] of cases) {
    const error = await fails(await written(t, tarOf(members), ''), 'oci-archive');
    assert.equal(error.code, code, error.message);
  }
});

test('a layer of a few bytes whose holes take centuries to read is over the limit', async (t) => {
  const layer = sparseMember('0.1', { name: 'l/layer.tar', size: Number.MAX_SAFE_INTEGER, runs: [] });
  const archive = Buffer.concat([layer, tarOf([HONEST[0]!, LISTING])]);
  const error = await fails(await written(t, archive, ''), 'docker-archive');
  assert.equal(error.code, 'LIMIT');
});

test('a compressed archive that unfolds without end stops at the quota, and leaves nothing', async (t) => {
  const folder = await written(t, Buffer.alloc(64 << 20), 'gzip');
  const error = await fails(folder, 'docker-archive', 1 << 20);
  assert.equal(error.code, 'LIMIT');
});

/** Bytes that are read of an archive whose one compressed layer has many names, each image listing all of them; and its size. */
async function readFor(t: TestContext, wanted: { images: number; selection: string }) {
  const layer = gzipSync(tarOf([{ name: 'noise', data: randomBytes(1 << 20) }]));
  const names = Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? 'layer.tar.gz' : `link-${i}`));
  const config = { os: 'linux', rootfs: { type: 'layers', diff_ids: names.map(() => sha256(LAYER)) } };
  const folder = await tempDir(t);
  const archive = join(folder, 'many.tar');
  const image = { Config: 'c.json', RepoTags: null, Layers: names };
  await writeFile(
    archive,
    tarOf([
      { name: 'layer.tar.gz', data: layer },
      ...names.filter((name) => name.startsWith('link')).map((name) => ({ name, link: 'layer.tar.gz' })),
      { name: 'c.json', data: Buffer.from(JSON.stringify(config)) },
      listing(Array.from({ length: wanted.images }, () => image)),
    ]),
  );
  const target = parseImage(`docker-archive:${archive}${wanted.selection}`);
  const source = await openSource(target, options(folder));
  t.after(() => source.close());
  let bytes = 0;
  const observer: Observer = {
    emit(event) {
      if (event.type === 'fetched') bytes += event.bytes;
    },
  };
  const manifest = source.manifest(undefined, { observer });
  return { manifest, size: layer.length, bytes: () => bytes };
}

test('a layer that is listed a thousand times, under many names, is hashed once', async (t) => {
  const { manifest, size, bytes } = await readFor(t, { images: 1, selection: '' });
  await manifest;
  assert.ok(bytes() > size && bytes() < 2 * size, `${bytes()}`);
});

test('and once for all images of an archive, where one of them is looked for by its digest', async (t) => {
  const { manifest, size, bytes } = await readFor(t, { images: 20, selection: `@sha256:${'ab'.repeat(32)}` });
  await assert.rejects(manifest, (error) => error instanceof ClipError && error.code === 'NOT_FOUND');
  assert.ok(bytes() > size && bytes() < 4 * size, `${bytes()}`);
});

test('errors name the archive that was meant, not its copy, and blame no layer', async (t) => {
  for (const transport of ['docker-archive', 'oci-archive']) {
    const folder = await written(t, Buffer.alloc(64 << 10), 'gzip');
    const none = await fails(folder, transport);
    assert.deepEqual(
      [none.code, none.hint],
      ['NOT_FOUND', `a root file system alone is tar:${join(folder, 'x.tar')}`],
    );
    const path = join(folder, 'x.tar');
    await writeFile(path, (await readFile(path)).subarray(0, 40));
    const cut = await fails(folder, transport);
    assert.equal(cut.code, 'CORRUPT_TAR');
    assert.equal(cut.message, `the archive "${path}" is no whole tar: gzip: unexpected end of the stream`);
    const input = async function* () {
      yield tarOf([{ name: 'x', data: Buffer.alloc(9000) }]).subarray(0, 2000);
    };
    await assert.rejects(
      openSource(parseImage(`${transport}:-`), { ...options(folder), input }),
      (error: Error) => error.message.startsWith('standard input is no whole tar: '),
    );
  }
});

async function written(
  t: Parameters<typeof tempDir>[0],
  tar: Uint8Array,
  wrap: '' | 'gzip',
): Promise<string> {
  const folder = await tempDir(t);
  await writeFile(join(folder, 'x.tar'), wrap === 'gzip' ? gzipSync(tar) : tar);
  return folder;
}

const options = (folder: string, quota = 1 << 30) => ({
  connection: DEFAULT_CONNECTION,
  offline: true,
  spool: { cacheDir: join(folder, 'cache'), quota },
});

async function fails(folder: string, transport: string, quota?: number): Promise<ClipError> {
  try {
    const source = await openSource(parseImage(`${transport}:${folder}/x.tar`), options(folder, quota));
    try {
      await resolveImage(source);
    } finally {
      await source.close();
    }
  } catch (error) {
    assert.ok(error instanceof ClipError, String(error));
    assert.ok(error.hint, `${error.code} ${error.message} has no hint`);
    return error;
  }
  return assert.fail('it was read');
}
