/** What an index that somebody made can cost at most: records that many entries share, sums over a layer, batches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ByteString } from '../../src/bytes.js';
import { isClipError } from '../../src/errors.js';
import { bufferSource } from '../../src/format/buffer-source.js';
import { ByteWriter } from '../../src/format/byte-writer.js';
import { ExtrasCache } from '../../src/format/extras-cache.js';
import { decodeXattrs } from '../../src/format/extras-decode.js';
import { encodeImage } from '../../src/format/image-encoder.js';
import { createLayerEncoder } from '../../src/format/layer-encoder.js';
import { openLayerSection } from '../../src/format/layer-section.js';
import { openIndex } from '../../src/format/open-index.js';
import { RecordOrder } from '../../src/format/record-order.js';
import { encodeSection, STREAM } from '../../src/format/section.js';
import { decodeSpans } from '../../src/format/spans-decode.js';
import { type Entry, variableBytes } from '../../src/tree/entry.js';
import { allOf } from '../support/all-of.js';
import { putTogether, replaceSection, takeApart } from '../support/forge.js';
import { merged } from '../support/merged.js';
import { packed } from '../support/packed.js';

const SIZE = 1 << 24;
const SPACING = 1 << 20;
const ROOT = '' as ByteString;

function file(path: string, position: number, fields: Partial<Entry> = {}): Entry {
  const nothing = '' as ByteString;
  const owner = { uid: 0, gid: 0, uname: nothing, gname: nothing, mtime: 0, mtimeNanos: 0 };
  const rest = { size: 0, link: nothing, devMajor: 0, devMinor: 0, xattrs: [], position };
  return { path: path as ByteString, type: 'file', mode: 0o644, ...owner, ...rest, ...fields };
}

/** An index of one plain layer. */
function indexOf(entries: readonly Entry[]): Buffer {
  const digest = `sha256:${'1'.repeat(64)}`;
  const encoder = createLayerEncoder({ spacing: SPACING });
  for (let index = 0; index * SPACING < SIZE; index++) {
    const offset = index * SPACING;
    const end = offset + SPACING;
    encoder.span(
      {
        index,
        offset,
        length: SPACING,
        byte: offset,
        bit: 0,
        end,
        kind: 'raw',
        skip: 0,
        digest: '1'.repeat(64),
      },
      { window: new Uint8Array(0), header: undefined },
    );
  }
  const about = { digest, diffId: digest, size: SIZE, uncompressedSize: SIZE, encoding: 'plain' as const };
  const section = encoder.finish({ ...about, entries });
  return Buffer.concat(
    encodeImage({
      layers: [{ section, mediaType: 'application/vnd.oci.image.layer.v1.tar' }],
      nodes: merged([entries]),
      manifest: Buffer.from('{}'),
      manifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: Buffer.from('{}'),
      platform: 'linux/amd64',
      spacing: SPACING,
      sourceHint: 'oci:x',
    }),
  );
}

async function walk(bytes: Uint8Array) {
  const index = await openIndex(bufferSource(bytes));
  return allOf(index.walk(ROOT));
}

const corrupt = (message: RegExp) => (error: unknown) =>
  isClipError(error, 'CORRUPT_INDEX') && message.test(error.message);

/** Entries that fill several blocks, the first and the last of them sparse. */
function sparseEnds(): Entry[] {
  const entries = Array.from({ length: 6000 }, (_, i) =>
    file(`f${String(i).padStart(5, '0')}`, (i + 1) * 512),
  );
  for (const entry of [entries[0]!, entries.at(-1)!]) {
    entry.size = 100;
    entry.extents = packed([{ logical: 7, offset: entry.position, length: 5 }]);
  }
  return entries;
}

test('blocks of entries cannot share a record of extents', async () => {
  const honest = indexOf(sparseEnds());
  assert.equal((await walk(honest)).filter(({ entry }) => entry.extents).length, 2);

  const parts = takeApart(honest);
  const layer = parts.sections[1]!;
  const { decoded } = layer.streams.find(({ id }) => id === STREAM.entries)!.blocks.at(-1)!;
  // At its end: one sparse file, the offset of its record, its row, the record's length.
  const rowBytes = decoded.at(-3)! >= 0x80 ? 2 : 1;
  const at = decoded.length - 2 - rowBytes;
  assert.deepEqual([...decoded.subarray(at - 1, at + 1), decoded.at(-1)], [1, 4, 4]);
  decoded[at] = 0;
  await assert.rejects(walk(putTogether(parts)), corrupt(/extents are those of another block/));
});

test('records are in order exactly if no later block begins before an earlier one ends', () => {
  const places = fc.array(fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 3 })), { maxLength: 6 });
  fc.assert(
    fc.property(places, fc.infiniteStream(fc.nat()), (raw, random) => {
      const blocks = raw.map(([offset, length], block) => ({ block, place: { offset, length } }));
      const isInOrder = blocks.every(({ place }, i) =>
        blocks.slice(i + 1).every((later) => later.place.offset >= place.offset + place.length),
      );
      const order = new RecordOrder();
      const shuffled = blocks
        .map((each) => ({ each, key: random.next().value as number }))
        .sort((a, b) => a.key - b.key)
        .map(({ each }) => each);
      const admitted = shuffled.map(({ block, place }) => order.admits(block, place));
      assert.equal(admitted.every(Boolean), isInOrder);
      if (isInOrder) for (const { block, place } of shuffled) assert.ok(order.admits(block, place), 'again');
    }),
  );
});

test('a layer with more bytes of attributes or extents than one may have is refused before they are read', async () => {
  const honest = indexOf([file('a', 512)]);
  const parts = takeApart(honest);
  const { info, streams } = parts.sections[1]!;
  const real = putTogether(parts);
  for (const [id, most] of [
    [STREAM.xattrs, 67_108_864],
    [STREAM.extents, 33_554_432],
  ] as const) {
    const kept = takeApart(real).sections[1]!.streams;
    const blocks = Array.from({ length: most / 65_536 + 1 }, () => ({
      stored: Buffer.alloc(1),
      decodedLength: 65_536,
      items: 0,
      key: 0,
    }));
    const all = [...kept.map((stream) => encoded(stream)), { id, blocks }].sort((a, b) => a.id - b.id);
    const forged = replaceSection(honest, 1, encodeSection(2, info, all));
    await assert.rejects(walk(forged), corrupt(/bytes in stream/));
  }
  assert.ok(streams.length > 0);
});

function encoded({ id, blocks }: ReturnType<typeof takeApart>['sections'][number]['streams'][number]) {
  return {
    id,
    keyed: id === STREAM.spans || id === STREAM.keys,
    blocks: blocks.map(({ decoded, items, key }) => ({
      stored: decoded,
      decodedLength: decoded.length,
      items,
      key,
    })),
  };
}

test('device numbers have 32 bits', async () => {
  const device = file('tty', 512, { type: 'char', devMajor: 0xffff_ffff, devMinor: 5 });
  const honest = indexOf([device]);
  assert.equal((await walk(honest))[1]!.entry.devMajor, 0xffff_ffff);
  assert.throws(() => indexOf([{ ...device, devMajor: 2 ** 32 }]), RangeError);
  assert.throws(() => indexOf([{ ...device, devMinor: -1 }]), RangeError);
  const parts = takeApart(honest);
  const { decoded } = parts.sections[1]!.streams.find(({ id }) => id === STREAM.entries)!.blocks[0]!;
  const at = decoded.indexOf(Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x1f]));
  assert.ok(at > 0);
  decoded[at + 4] = 0x20;
  await assert.rejects(walk(putTogether(parts)), corrupt(/device number/));
});

test('batches are bounded in nodes and in bytes, and lose nothing', async () => {
  const value = 'v'.repeat(20_000);
  const heavy = Array.from({ length: 300 }, (_, i) =>
    file(`h${String(i).padStart(4, '0')}`, (i + 1) * 512, {
      xattrs: [['user.a' as ByteString, `${i}${value}` as ByteString]],
    }),
  );
  const light = Array.from({ length: 3000 }, (_, i) =>
    file(`l${String(i).padStart(4, '0')}`, (i + 301) * 512),
  );
  const index = await openIndex(bufferSource(indexOf([...heavy, ...light])));
  for (const batches of [index.walk(ROOT), index.children(ROOT)]) {
    const paths: string[] = [];
    for await (const batch of batches) {
      assert.ok(batch.length <= 512, `${batch.length} nodes`);
      const bytes = batch.slice(0, -1).reduce((sum, { entry }) => sum + variableBytes(entry), 0);
      assert.ok(bytes <= 1 << 20, `${bytes} bytes`);
      paths.push(...batch.map(({ path }) => path).filter((path) => path !== ROOT));
    }
    assert.deepEqual(
      paths,
      [...heavy, ...light].map(({ path }) => path),
    );
  }
});

test('decoded attributes and extents are kept within a bound, those used last', () => {
  const cache = new ExtrasCache();
  const heavy = (bytes: number) => ({
    xattrs: [['user.a', 'v'.repeat(bytes)]] as unknown as Entry['xattrs'],
  });
  for (let i = 0; i < 128; i++) {
    cache.put(`${i}`, heavy(1_000_000));
    assert.ok(cache.get('0'), 'what is used stays');
  }
  const kept = Array.from({ length: 128 }, (_, i) => cache.get(`${i}`) !== undefined);
  assert.equal(kept.filter(Boolean).length, 100);
  assert.ok(kept.at(-1) && !kept[1]);
  cache.put('all', heavy(150_000_000));
  assert.ok(cache.get('all'));
  assert.equal(cache.get('127'), undefined);
});

test('what is decoded twice at the same time is counted once', () => {
  const cache = new ExtrasCache();
  const extras = (bytes: number) => ({
    xattrs: [['user.a', 'v'.repeat(bytes)]] as unknown as Entry['xattrs'],
  });
  for (let i = 0; i < 200; i++) cache.put('same', extras(1_000_000));
  for (let i = 0; i < 90; i++) cache.put(`${i}`, extras(1_000_000));
  assert.ok(Array.from({ length: 90 }, (_, i) => cache.get(`${i}`)).every(Boolean));
});

test('a layer may have any number of small windows', async () => {
  const encoder = createLayerEncoder({ spacing: SPACING });
  const digest = '1'.repeat(64);
  const count = 9000;
  for (let index = 0; index < count; index++) {
    const at = index * 1000;
    encoder.span(
      { index, offset: at, length: 1000, byte: at, bit: 0, end: at + 1000, kind: 'block', skip: 0, digest },
      { window: new Uint8Array(index === 0 ? 0 : 1), header: undefined },
    );
  }
  const size = count * 1000;
  const about = { digest: `sha256:${digest}`, diffId: `sha256:${digest}`, size, uncompressedSize: size };
  const section = encoder.finish({ ...about, encoding: 'gzip', entries: [] });
  const opened = await openLayerSection(bufferSource(section));
  const spans = await opened.spans(0, size);
  assert.equal(spans.length, count);
  assert.equal((await opened.spanContext(spans[count - 1]!)).window.length, 1);
});

test('a span has no more compressed bytes than a reader can hold', () => {
  const digest = '1'.repeat(64);
  const ends = (length: number, size: number, kind: 'block' | 'raw' | 'frame') => {
    const kinds = { block: 1, raw: 4, frame: 3 };
    const out = new ByteWriter();
    for (const number of [0, 0, 0, length]) out.varint(number);
    out.svarint(0);
    out.varint(size);
    out.u8(kinds[kind] * 8);
    out.varint(0);
    out.varint(0);
    out.bytes(Buffer.from(digest, 'hex'));
    const bounds = { count: 1, index: 0, offset: 0, endOffset: length, size: 1e12, spacing: SPACING };
    return decodeSpans(out.view(), { ...bounds, where: 'test' }).spans[0]!.end;
  };
  const most = 2 * 1000 + 16_777_216;
  assert.equal(ends(1000, most, 'block'), most);
  assert.equal(ends(1000, 1e10, 'frame'), 1e10);
  assert.equal(ends(1000, 1000, 'raw'), 1000);
  for (const [size, kind] of [
    [most + 1, 'block'],
    [1e10, 'block'],
    [1001, 'raw'],
    [999, 'raw'],
  ] as const) {
    assert.throws(
      () => ends(1000, size, kind),
      (error) => isClipError(error, 'CORRUPT_INDEX'),
    );
  }
});

test('an attribute has a name, without a NUL', () => {
  const record = (name: string) => {
    const out = new ByteWriter();
    for (const number of [1, name.length, 1]) out.varint(number);
    out.byteString(`${name}v` as ByteString);
    return out.copy();
  };
  assert.deepEqual(decodeXattrs(record('user.a'), 'test'), [['user.a', 'v']]);
  for (const name of ['', 'user.a\0b']) {
    assert.throws(
      () => decodeXattrs(record(name), 'test'),
      (error) => isClipError(error, 'CORRUPT_INDEX'),
    );
  }
});

test('names of one inode share its attributes and extents, decoded once', async () => {
  const value = 'v'.repeat(900_000) as ByteString;
  const heavy = file('a', 512, { xattrs: [['user.a' as ByteString, value]], size: 8 });
  heavy.extents = packed([{ logical: 0, offset: 512, length: 8 }]);
  const links = Array.from({ length: 2000 }, (_, i) =>
    file(`l${String(i).padStart(4, '0')}`, 2048 + i * 512, { type: 'hardlink', link: 'a' as ByteString }),
  );
  const nodes = await walk(indexOf([heavy, ...links]));
  assert.equal(nodes.length, 2002);
  assert.equal(nodes[1]!.entry.extents!.length, 1);
  for (const { entry } of nodes.slice(2)) {
    assert.equal(entry.xattrs, nodes[1]!.entry.xattrs);
    assert.equal(entry.extents, nodes[1]!.entry.extents);
  }
});

test('names of layers that are merged together have one sum', async () => {
  const entries = [file('a', 512), file('b', 1024, { type: 'symlink', link: 'target' as ByteString })];
  const index = await openIndex(bufferSource(indexOf(entries)));
  const { mergeEntries } = await openLayerSection(bufferSource(await index.layerSection(0)));
  const room = { bytes: 20 };
  assert.equal((await mergeEntries(room)).length, 2);
  assert.equal(room.bytes, 12);
  await mergeEntries(room);
  await assert.rejects(mergeEntries(room), { code: 'LIMIT' });
});

test('spans are given so many at a time', async () => {
  const index = await openIndex(bufferSource(indexOf([])));
  const all = await index.spans(0, 0, SIZE);
  assert.equal(all.length, SIZE / SPACING);
  assert.deepEqual(await index.spans(0, 0, SIZE, 5), all.slice(0, 5));
  assert.deepEqual(await index.spans(0, 3 * SPACING + 1, SIZE, 1), all.slice(3, 4));
});
