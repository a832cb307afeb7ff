// What an index from a registry claims is held against the image; one that lies is refused, and never leads anywhere else.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { buildImageIndex } from '../../src/build/build-image-index.js';
import { pullIndex } from '../../src/build/pull-index.js';
import type { ByteString } from '../../src/bytes.js';
import { isClipError } from '../../src/errors.js';
import { bufferSource } from '../../src/format/buffer-source.js';
import type { ImageParts } from '../../src/format/image-encoder.js';
import { createLayerEncoder } from '../../src/format/layer-encoder.js';
import { openLayerSection } from '../../src/format/layer-section.js';
import type { Span } from '../../src/format/model.js';
import { openIndex } from '../../src/format/open-index.js';
import { STREAM } from '../../src/format/section.js';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.js';
import { allOf } from '../support/all-of.js';
import { putTogether, spanBlock, takeApart } from '../support/forge.js';
import { assemble, type Lies, partsOf, plant } from '../support/forged-index.js';
import { merged } from '../support/merged.js';
import { clip } from '../support/run-clip.js';
import { machine, registryWithImage, warnings } from '../support/travel.js';

const FILE = '/etc/debian_version';

async function world(
  t: TestContext,
  { referrers, spacing = 1 << 20 }: { referrers?: 'none'; spacing?: number } = {},
) {
  const at = await registryWithImage(t, referrers && { referrers });
  const maker = await machine(t);
  const output = join(maker.options.cacheDir, 'true.clip');
  await buildImageIndex(at.image, { ...maker.options, output, spacing });
  return { ...at, parts: await partsOf(output) };
}

type World = Awaited<ReturnType<typeof world>>;

/** The command takes no harm: it warns, builds, and reads the truth. A pull says what is wrong. */
async function refused(t: TestContext, { image }: World, why: RegExp): Promise<void> {
  const other = await machine(t);
  const seen = await other.cat(image, FILE);
  assert.deepEqual([seen.text, seen.origin], ['12.15\n', 'built']);
  const told = warnings(other.events);
  assert.equal(told.length, 1, told.join('\n'));
  assert.match(told[0]!, why);
  await assert.rejects(pullIndex(image, other.options), (error: unknown) => {
    assert.ok(isClipError(error), String(error));
    return error.exitStatus === 6 || error.code === 'LIMIT';
  });
}

/** The same layer section with another word on what it is of. */
async function relabelled(section: Uint8Array, facts: { size?: number; diffId?: string; digest?: string }) {
  const opened = await openLayerSection(bufferSource(section));
  const encoder = createLayerEncoder({ spacing: opened.spacing });
  for (const span of await opened.spans(0, opened.info.uncompressedSize))
    encoder.span(span, await opened.spanContext(span));
  return encoder.finish({ ...opened.info, ...facts, entries: await allOf(opened.entries()) });
}

const FAKE = `sha256:${'ab'.repeat(32)}`;

const FORGERIES: Record<
  string,
  { why: RegExp; forge: (parts: ImageParts) => ImageParts | Promise<ImageParts> }
> = {
  'of another image': {
    why: /CORRUPT_INDEX.*of the image sha256:/,
    forge: (parts) => ({ ...parts, manifest: Buffer.from(`${Buffer.from(parts.manifest)} `) }),
  },
  'with another config': {
    why: /CORRUPT_INDEX.*its config is/,
    forge: (parts) => ({ ...parts, config: Buffer.from(`${Buffer.from(parts.config)} `) }),
  },
  'for another platform': {
    why: /CORRUPT_INDEX.*it is for linux\/s390x/,
    forge: (parts) => ({ ...parts, platform: 'linux/s390x' }),
  },
  'with its layers in another order': {
    why: /CORRUPT_INDEX.*its layer 0 is/,
    forge: async (parts) => {
      const layers = [...parts.layers].reverse();
      const trees = await Promise.all(
        layers.map(async ({ section }) => allOf((await openLayerSection(bufferSource(section))).entries())),
      );
      return { ...parts, layers, nodes: merged(trees) };
    },
  },
  'without its last layer': {
    why: /CORRUPT_INDEX.*it has 2 layers/,
    forge: async (parts) => {
      const layers = parts.layers.slice(0, 2);
      const trees = await Promise.all(
        layers.map(async ({ section }) => allOf((await openLayerSection(bufferSource(section))).entries())),
      );
      return { ...parts, layers, nodes: merged(trees) };
    },
  },
  'with a layer of another size': {
    why: /CORRUPT_INDEX.*its layer 1 has/,
    forge: async (parts) => withLayer(parts, { size: 5_000_000_000 }),
  },
  'with a layer that unpacks to something else': {
    why: /CORRUPT_INDEX.*its layer 1 unpacks to/,
    forge: async (parts) => withLayer(parts, { diffId: FAKE }),
  },
  'with a layer from elsewhere': {
    why: /CORRUPT_INDEX.*its layer 1 is/,
    forge: async (parts) => withLayer(parts, { digest: FAKE }),
  },
};

async function withLayer(parts: ImageParts, facts: Parameters<typeof relabelled>[1]): Promise<ImageParts> {
  const layers = [...parts.layers];
  layers[1] = { ...layers[1]!, section: await relabelled(layers[1]!.section, facts) };
  return { ...parts, layers };
}

test('the forger tells the truth where it is told to', async (t) => {
  const at = await world(t);
  await plant(at.registry, { subject: at.subject, file: assemble(at.parts) });
  const other = await machine(t);
  const seen = await other.cat(at.image, FILE);
  assert.deepEqual([seen.text, seen.origin, warnings(other.events)], ['12.15\n', 'registry', []]);
});

for (const [name, { why, forge }] of Object.entries(FORGERIES)) {
  test(`an index ${name}`, async (t) => {
    const at = await world(t);
    await plant(at.registry, { subject: at.subject, file: assemble(await forge(at.parts)) });
    await refused(t, at, why);
  });
}

const ARTIFACTS: Record<string, { why: RegExp; lies: Lies }> = {
  'claims another identity': { why: /CORRUPT_INDEX.*claims to be/, lies: { facts: { identity: FAKE } } },
  'has its blobs in another order': {
    why: /CORRUPT/,
    lies: { blobs: ([head, one, two, ...rest]) => [head!, two!, one!, ...rest] },
  },
  'lacks a blob': { why: /CORRUPT_INDEX/, lies: { blobs: (blobs) => blobs.slice(0, -1) } },
  'has a blob of terabytes': {
    why: /LIMIT/,
    lies: { blobs: (blobs) => blobs.map((blob) => ({ ...blob, size: 2 ** 45 })) },
  },
  'has no blobs': { why: /CORRUPT_IMAGE/, lies: { blobs: () => [] } },
};

for (const [name, { why, lies }] of Object.entries(ARTIFACTS)) {
  test(`an artifact that ${name}`, async (t) => {
    const at = await world(t);
    await plant(at.registry, { subject: at.subject, file: assemble(at.parts) }, lies);
    await refused(t, at, why);
  });
}

test('an artifact of another image in the list of this one', async (t) => {
  const at = await world(t, { referrers: 'none' });
  const digest = await plant(
    at.registry,
    { subject: at.subject, file: assemble(at.parts) },
    { claimed: FAKE },
  );
  const { bytes } = at.registry.store.manifests.get('demo/app')!.get(digest)!;
  const { artifactType, annotations } = JSON.parse(Buffer.from(bytes).toString());
  const manifests = [{ mediaType: OCI_MANIFEST, digest, size: bytes.length, artifactType, annotations }];
  at.registry.addManifest(
    'demo/app',
    `sha256-${at.subject.slice(7)}`,
    { schemaVersion: 2, manifests },
    OCI_INDEX,
  );
  await refused(t, at, /CORRUPT_INDEX.*it refers to/);
});

test('a blob that was damaged on its way is refused, and not kept', async (t) => {
  const at = await world(t);
  await plant(at.registry, { subject: at.subject, file: assemble(at.parts) });
  const sections = new Set(
    [...at.registry.store.blobs]
      .filter(([, bytes]) => Buffer.from(bytes.subarray(1, 5)).equals(Buffer.from('CLIP')))
      .map(([digest]) => digest),
  );
  at.registry.onRequest(({ path }) =>
    sections.has(path.split('/').at(-1)!)
      ? { kind: 'body', change: (body) => body.map((byte, i) => (i === body.length - 9 ? byte ^ 1 : byte)) }
      : undefined,
  );
  const other = await machine(t);
  const seen = await other.cat(at.image, FILE);
  assert.deepEqual([seen.text, seen.origin], ['12.15\n', 'built']);
  assert.match(warnings(other.events).join(), /CORRUPT_INDEX/);
});

test('an index of a newer format is left to newer clips; a truthful one beside a lying one is used', async (t) => {
  const at = await world(t);
  const file = assemble(at.parts);
  await plant(at.registry, { subject: at.subject, file }, { facts: { format: '2.0' } });
  const newer = await machine(t);
  assert.equal((await newer.cat(at.image, FILE)).origin, 'built');
  assert.deepEqual(warnings(newer.events), []);
  await plant(at.registry, { subject: at.subject, file }, { facts: { identity: FAKE } });
  const good = await plant(at.registry, { subject: at.subject, file });
  const other = await machine(t);
  const seen = await other.cat(at.image, FILE);
  assert.equal(seen.indexPath.endsWith(good), true, seen.indexPath);
});

test('an index never opens another host or a file: neither its hint nor urls of its blobs are followed', async (t) => {
  const asked: string[] = [];
  const trap = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end('no');
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => trap.close(resolve)));
  const host = `127.0.0.1:${(trap.address() as AddressInfo).port}`;
  const at = await world(t);
  const connection = { ...(await machine(t)).options.connection, plainHttp: true };

  const hinted = assemble({ ...at.parts, sourceHint: `docker://${host}/evil:1` });
  await plant(at.registry, { subject: at.subject, file: hinted }, { keepHint: true });
  const one = await machine(t, { connection });
  const seen = await one.cat(at.image, FILE);
  assert.deepEqual([seen.text, seen.origin], ['12.15\n', 'registry']);
  const info = await clip(['info', at.image, '--json'], { cacheDir: one.options.cacheDir });
  assert.doesNotMatch(info.stdout.toString(), new RegExp(host));
  const output = join(one.options.cacheDir, 'pulled.clip');
  await pullIndex(at.image, { ...one.options, output });
  assert.equal((await one.cat(output, FILE)).text, '12.15\n');

  const elsewhere = await world(t);
  await plant(
    elsewhere.registry,
    { subject: elsewhere.subject, file: assemble(elsewhere.parts) },
    {
      blobs: (blobs) =>
        blobs.map((blob) => ({ ...blob, digest: FAKE, urls: [`http://${host}/blob`, 'file:///etc/passwd'] })),
    },
  );
  const two = await machine(t, { connection });
  assert.equal((await two.cat(elsewhere.image, FILE)).origin, 'built');
  assert.deepEqual(asked, []);
});

/** The index with two forged spans of three that hold one file; a block of the table begins with the second one. */
async function withSpan(
  { parts }: World,
  forge: (first: Span, second: Span) => [Span, Span],
): Promise<{ file: Buffer; path: string }> {
  const truth = assemble(parts);
  const index = await openIndex(bufferSource(truth));
  for await (const batch of index.walk('' as ByteString)) {
    for (const { path, entry, layer } of batch) {
      if (entry.type !== 'file') continue;
      const [first, second, third] = await index.spans(layer, entry.position, entry.size);
      if (!first || !second || !third) continue;
      const { digest, uncompressedSize } = index.layers[layer]!;
      const spans = await index.spans(layer, 0, uncompressedSize);
      spans.splice(first.index, 2, ...forge(first, second));
      const taken = takeApart(truth);
      const hex = Buffer.from(digest.slice(7), 'hex');
      const section = taken.sections.find(({ info, streams }) => streams.length > 1 && info.includes(hex))!;
      section.streams.find(({ id }) => id === STREAM.spans)!.blocks = [
        spanBlock(spans.slice(0, second.index)),
        spanBlock(spans.slice(second.index), first.end),
      ];
      return { file: putTogether(taken), path: `/${path}` };
    }
  }
  throw new Error('no file lies in three spans');
}

const SPANS: Record<string, (first: Span, second: Span) => [Span, Span]> = {
  'with a span that skips into another one': (first, second) => [
    first,
    { ...second, kind: 'frame', bit: 0, skip: 1 },
  ],
  'with a block of spans that goes back behind the one before': (first, second) => [
    first,
    { ...second, byte: first.byte, end: first.end - 1 },
  ],
};

for (const [name, forge] of Object.entries(SPANS)) {
  test(`an index ${name} is corrupt, and passed over by the next command`, async (t) => {
    const at = await world(t, { spacing: 256 << 10 });
    const { file, path } = await withSpan(at, forge);
    await plant(at.registry, { subject: at.subject, file });
    const other = await machine(t);
    await assert.rejects(other.cat(at.image, path), (error) => isClipError(error, 'CORRUPT_INDEX'));
    assert.equal((await other.cat(at.image, path)).origin, 'built');
  });
}

test('what clip cannot know by looking: a tree that lies is as good as its pusher, is named, and verify proves it wrong', async (t) => {
  const at = await world(t);
  const trees = at.parts.trees.map((entries) =>
    entries.filter((entry) => entry.path !== 'etc/debian_version'),
  );
  const layers = await Promise.all(
    at.parts.layers.map(async ({ section, mediaType }, i) => {
      const opened = await openLayerSection(bufferSource(section));
      const encoder = createLayerEncoder({ spacing: opened.spacing });
      for (const span of await opened.spans(0, opened.info.uncompressedSize))
        encoder.span(span, await opened.spanContext(span));
      return { mediaType, section: encoder.finish({ ...opened.info, entries: trees[i]! }) };
    }),
  );
  const file = assemble({ ...at.parts, layers, nodes: merged(trees) });
  const artifact = await plant(at.registry, { subject: at.subject, file });
  const { options } = await machine(t);
  const run = await clip(['cat', at.image, FILE, '--stats', 'json'], { cacheDir: options.cacheDir });
  assert.equal(run.status, 3, 'the file is not in that tree');
  const { index } = JSON.parse(run.stderr.trimEnd().split('\n').at(-1)!);
  assert.deepEqual([index.origin, index.artifact], ['registry', `${at.registry.host}/demo/app@${artifact}`]);
  const verified = await clip(['verify', at.image], { cacheDir: options.cacheDir });
  assert.equal(verified.status, 6, verified.stderr);
  const built = await clip(['cat', at.image, FILE, '--index', 'build'], { cacheDir: options.cacheDir });
  assert.equal(built.stdout.toString(), '12.15\n');
});
