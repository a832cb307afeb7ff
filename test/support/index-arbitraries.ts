import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { ByteString } from '../../src/bytes.js';
import { createLayerEncoder } from '../../src/format/layer-encoder.js';
import type { LayerInfo, Span, SpanContext } from '../../src/format/model.js';
import { comparePaths, type Entry, type EntryType, storedBytes } from '../../src/tree/entry.js';
import type { Extent } from '../../src/tree/extents.js';
import type { EntryRef, MergedNode } from '../../src/tree/merged-node.js';
import { packed } from './packed.js';

/** Random content of index files, as wild as the model allows. */

export interface TestLayer {
  entries: Entry[];
  spans: { span: Span; context: SpanContext }[];
  info: Omit<LayerInfo, 'mediaType'>;
  section: Uint8Array;
}

export const SPACING = 131_072;

const byteString = (max: number) =>
  fc.uint8Array({ maxLength: max }).map((bytes) => Buffer.from(bytes).toString('latin1') as ByteString);

/** As a tar may have them. */
const xattrName = byteString(20).filter((name) => name !== '' && !name.includes('\0'));

const component = fc
  .oneof(
    fc.constantFrom('a', 'b', 'usr', 'a.b', 'a-', 'ab', '__proto__', '...', '.x', '\xff\xfe', 'é'),
    fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  )
  .map((name) => name.replace(/[/\0]/g, '_'))
  .filter((name) => name !== '.' && name !== '..') as fc.Arbitrary<string>;

const path = fc
  .array(component, { minLength: 0, maxLength: 6 })
  .map((parts) => parts.join('/').replace(/[^\0-\xff]/g, '?') as ByteString);

const safe = fc.oneof(
  fc.integer({ min: -5, max: 70_000 }),
  fc.maxSafeInteger(),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
);

const rawEntry = fc.record({
  path,
  type: fc.constantFrom<EntryType>(
    'file',
    'file',
    'file',
    'directory',
    'symlink',
    'hardlink',
    'char',
    'block',
    'fifo',
  ),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: safe,
  gid: safe,
  uname: byteString(6),
  gname: byteString(6),
  mtime: safe,
  mtimeNanos: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
  size: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 100_000 })),
  link: byteString(40),
  dev: fc.nat({ max: 0xffff_ffff }),
  xattrs: fc.oneof(
    fc.constant([]),
    fc.uniqueArray(fc.tuple(xattrName, byteString(200)), { selector: ([name]) => name, maxLength: 3 }),
  ),
  sparse: fc.option(fc.array(fc.tuple(fc.nat(5000), fc.nat(5000)), { maxLength: 5 }), { freq: 4 }),
  odd: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(511) }),
  order: fc.nat(),
});

const window = fc.record({
  windowLength: fc.oneof(fc.constantFrom(0, 1, 32_768), fc.nat(32_768)),
  bytes: fc.array(fc.tuple(fc.nat(32_767), fc.integer({ min: 1, max: 255 })), { maxLength: 40 }),
  header: fc.uint8Array({ minLength: 1, maxLength: 600 }),
  kind: fc.constantFrom<Span['kind']>('member', 'block', 'symbol', 'frame', 'raw'),
  bit: fc.nat(7),
  length: fc.oneof(fc.constant(SPACING), fc.integer({ min: 1, max: 2 * SPACING })),
  skipped: fc.nat(3),
});

export const layerArbitrary: fc.Arbitrary<TestLayer> = fc
  .record({
    entries: fc.array(rawEntry, { maxLength: 40 }),
    spans: fc.array(window, { minLength: 1, maxLength: 8 }),
    slack: fc.nat(3 * SPACING),
  })
  .map(({ entries, spans, slack }) => buildLayer(placeEntries(entries), spans, slack));

type Raw<T> = T extends fc.Arbitrary<infer U> ? U : never;

function placeEntries(raw: readonly Raw<typeof rawEntry>[]) {
  let position = 512;
  const made = [...raw]
    .sort((a, b) => a.order - b.order)
    .map(({ order, odd, sparse, dev, ...entry }) => {
      const file = entry.type === 'file';
      const device = entry.type === 'char' || entry.type === 'block';
      const linked = entry.type === 'symlink' || entry.type === 'hardlink';
      const result: Entry = {
        ...entry,
        size: file ? entry.size : 0,
        link: linked ? entry.link : ('' as ByteString),
        devMajor: device ? dev : 0,
        devMinor: device ? 0xffff_ffff - dev : 0,
        xattrs: [...entry.xattrs].sort(([a], [b]) => (a < b ? -1 : 1)),
        position: position + odd,
      };
      if (file && sparse) {
        const extents: Extent[] = [];
        let logical = 0;
        let offset = result.position;
        for (const [gap, length] of sparse) {
          extents.push({ logical: logical + gap, offset, length });
          logical += gap + length;
          offset += length;
        }
        result.extents = packed(extents);
        result.size = logical + entry.size;
      }
      const data = storedBytes(result);
      position += 512 * (Math.ceil((data + odd) / 512) + 1 + (order % 4));
      return result;
    });
  const entries = made.sort((a, b) => comparePaths(a.path, b.path) || a.position - b.position);
  return { entries, end: position + 1024 };
}

function buildLayer(
  { entries, end }: { entries: Entry[]; end: number },
  raw: readonly Raw<typeof window>[],
  slack: number,
): TestLayer {
  const uncompressedSize = end + slack;
  const encoder = createLayerEncoder({ spacing: SPACING });
  const spans: TestLayer['spans'] = [];
  let offset = 0;
  let byte = 0;
  let last = 0;
  for (let index = 0; offset < uncompressedSize; index++) {
    const from = raw[index % raw.length]!;
    const length = Math.min(Math.max(from.length, index < 5 ? 1 : 30_000), uncompressedSize - offset);
    const { kind, bit } = from;
    const compressed = kind === 'raw' ? length : 2 + ((length * 7) % 100_003);
    const before = spans.at(-1)?.span;
    // Now and then it goes on in the frame of the one before.
    const goesOn = kind === 'frame' && before?.kind === 'frame' && from.skipped > 1;
    byte = goesOn ? before.byte : (kind === 'raw' ? last : byte) + from.skipped;
    if (!goesOn) last = Math.max(last, byte + compressed);
    const skip = goesOn ? before.skip + before.length : 0;
    const digest = createHash('sha256').update(`${index} ${offset}`).digest('hex');
    const bytes = new Uint8Array(Math.min(from.windowLength, offset));
    for (const [at, value] of from.bytes) if (at < bytes.length) bytes[at] = value;
    const context: SpanContext = {
      window: bytes,
      header: kind === 'symbol' ? { bit, bytes: from.header } : undefined,
    };
    const span: Span = { index, offset, length, byte, bit, end: last, kind, skip, digest };
    spans.push({ span, context });
    encoder.span(span, context);
    offset += length;
    byte = last - (bit > 0 ? 1 : 0);
  }
  return finish(encoder, { entries, spans, size: last + 8, uncompressedSize });
}

function finish(
  encoder: ReturnType<typeof createLayerEncoder>,
  made: { entries: Entry[]; spans: TestLayer['spans']; size: number; uncompressedSize: number },
): TestLayer {
  const { entries, spans, size, uncompressedSize } = made;
  const name = createHash('sha256')
    .update(JSON.stringify([entries, size, spans]))
    .digest('hex');
  const result = {
    digest: `sha256:${name}`,
    diffId: `sha512:${name}${name}`,
    size,
    uncompressedSize,
    encoding: 'gzip' as const,
  };
  const section = encoder.finish({ ...result, entries });
  return {
    entries,
    spans,
    info: { ...result, entryCount: entries.length, spanCount: spans.length },
    section,
  };
}

export interface TestImage {
  layers: TestLayer[];
  nodes: MergedNode[];
}

/** Layers and some tree over them: not what a merge would give, but anything that the format can say. */
export const imageArbitrary: fc.Arbitrary<TestImage> = fc
  .record({
    layers: fc.array(layerArbitrary, { minLength: 1, maxLength: 4 }),
    repeat: fc.boolean(),
    choices: fc.array(fc.nat(), { minLength: 1, maxLength: 50 }),
    extra: fc.array(path, { maxLength: 10 }),
  })
  .map(({ layers, repeat, choices, extra }) => {
    const all = repeat ? [...layers, layers[0]!] : layers;
    return { layers: all, nodes: buildNodes(all, choices, extra) };
  });

function buildNodes(layers: readonly TestLayer[], choices: readonly number[], extra: readonly ByteString[]) {
  const nodes = new Map<string, MergedNode>();
  const data: EntryRef[] = [];
  layers.forEach(({ entries }, layer) => {
    entries.forEach(({ type }, entry) => {
      if (type !== 'hardlink') data.push({ layer, entry });
    });
  });
  let turn = 0;
  const choose = () => choices[turn++ % choices.length]!;
  const add = (path: ByteString, ref: EntryRef | undefined) => {
    const linked = ref && layers[ref.layer]!.entries[ref.entry]!.type === 'hardlink';
    if (linked && data.length === 0) return;
    const target = linked ? data[choose() % data.length] : undefined;
    nodes.set(path, { path, ref, target, nlink: choose() % 3 === 0 ? 2 + (choose() % 5) : 1 });
  };
  add('' as ByteString, undefined);
  for (const path of extra) add(path, undefined);
  layers.forEach(({ entries }, layer) => {
    entries.forEach(({ path }, entry) => {
      const choice = choose() % 8;
      if (choice === 0) return;
      add(choice === 1 ? (`moved/${path || 'x'}` as ByteString) : path, { layer, entry });
    });
  });
  for (const node of nodes.values()) if (!node.ref) node.nlink = 1;
  return [...nodes.values()].sort((a, b) => comparePaths(a.path, b.path));
}
