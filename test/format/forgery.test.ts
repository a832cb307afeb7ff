import assert from 'node:assert/strict';
import test from 'node:test';
import { deflateRawSync } from 'node:zlib';
import type { ByteString } from '../../src/bytes.js';
import { type ErrorCode, isClipError } from '../../src/errors.js';
import { bufferSource } from '../../src/format/buffer-source.js';
import { ByteWriter } from '../../src/format/byte-writer.js';
import { sha256 } from '../../src/format/digest.js';
import { encodeFileHead, type SectionRecord } from '../../src/format/file-head.js';
import type { Span } from '../../src/format/model.js';
import { openIndex } from '../../src/format/open-index.js';
import { encodeSection, readPreamble, type SectionType, STREAM } from '../../src/format/section.js';
import { exampleIndex } from '../support/example-index.js';
import {
  forgeDirectory,
  putTogether,
  replaceSection,
  spanBlock,
  split,
  takeApart,
} from '../support/forge.js';
import { readAll } from '../support/index-file.js';

async function refusal(file: Buffer): Promise<ErrorCode | undefined> {
  try {
    await readAll(await openIndex(bufferSource(file)));
    return undefined;
  } catch (error) {
    if (!isClipError(error)) throw error;
    return error.code;
  }
}

/** The example with one block of a layer's or the image's stream replaced. */
function withBlock(stream: number, bytes: Buffer, items?: number): Buffer {
  const parts = takeApart(exampleIndex());
  const found = parts.sections.flatMap(({ streams }) => streams).find(({ id }) => id === stream)!;
  found.blocks[0]!.decoded = bytes;
  if (items !== undefined) found.blocks[0]!.items = items;
  return putTogether(parts);
}

test('taking apart and putting together changes nothing', () => {
  const parts = takeApart(exampleIndex());
  const head = exampleIndex().subarray(16, 48);
  assert.deepEqual(putTogether(parts).subarray(16, 48), head);
});

test('a block that inflates to more than it announces is refused, and so is one with a tail', async () => {
  const file = exampleIndex();
  for (const stored of [
    deflateRawSync(Buffer.alloc(50_000_000)),
    deflateRawSync(Buffer.alloc(10)),
    Buffer.concat([deflateRawSync(Buffer.alloc(2000)), Buffer.alloc(5)]),
  ]) {
    const decodedLength = stored.length > 20_000 ? 65_536 : 2000;
    const bomb = encodeSection(1, takeApart(file).sections[0]!.info, [
      {
        id: STREAM.keys,
        blocks: [{ stored: stored.subarray(0, decodedLength), decodedLength, items: 1, key: 0 }],
      },
      { id: STREAM.merge, blocks: [{ stored: Buffer.alloc(13), decodedLength: 13, items: 3, key: 0 }] },
    ]);
    assert.equal(await refusal(replaceSection(file, 0, bomb)), 'CORRUPT_INDEX');
  }
});

test('paths that unfold beyond a block’s limit are refused', async () => {
  const out = new ByteWriter();
  const count = 4000;
  for (let i = 0; i < count; i++) out.varint(i === 0 ? 0 : 8000 + i);
  for (let i = 0; i < count; i++) out.varint(i === 0 ? 8001 : 1);
  out.bytes(Buffer.alloc(8001 + count - 1, 'a'));
  assert.equal(await refusal(withBlock(STREAM.entries, out.copy(), count)), 'CORRUPT_INDEX');
});

test('paths that would leave the root, or name nothing, are refused', async () => {
  for (const path of ['..', 'a/../b', '.', '/etc', 'etc/', 'a//b', 'a\0b', 'etc/..', './a', 'a/.']) {
    const out = new ByteWriter();
    const paths = ['', path] as ByteString[];
    out.varint(0);
    out.varint(1);
    out.varint(0);
    out.varint(1);
    for (let i = 0; i < 2; i++) out.varint(0);
    for (const { length } of paths) out.varint(length);
    out.bytes(Buffer.from(path, 'latin1'));
    out.varint(0);
    out.varint(0);
    const file = putTogether(withNodes(takeApart(withBlock(STREAM.merge, out.copy(), 2)), 2));
    assert.equal(await refusal(file), 'CORRUPT_INDEX', JSON.stringify(path));
  }
});

/** The number of nodes is a single byte of the info, just before `01 26`: one media type of 38 bytes. */
function withNodes(parts: ReturnType<typeof takeApart>, nodes: number) {
  const { info } = parts.sections[0]!;
  const at = info.indexOf(Buffer.from([0x80, 0x80, 0x40])) + 3;
  info[at] = nodes;
  return parts;
}

test('the same tree with honest paths is read', async () => {
  const out = new ByteWriter();
  for (const value of [0, 1, 0, 1, 0, 0, 0, 1]) out.varint(value);
  out.byteString('x' as ByteString);
  out.varint(0);
  out.varint(0);
  const file = putTogether(withNodes(takeApart(withBlock(STREAM.merge, out.copy(), 2)), 2));
  assert.equal(await refusal(file), undefined);
});

test('sections of an unknown type are skipped, unless they are critical', async () => {
  for (const [critical, expected] of [
    [false, undefined],
    [true, 'NEWER_INDEX'],
  ] as const) {
    const { directory, sections } = split(exampleIndex());
    const extra = encodeSection(77 as SectionType, Buffer.from('anything'), []);
    const { directoryLength, directoryDigest } = readPreamble(extra.subarray(0, 48), '');
    const record: SectionRecord = {
      type: 77,
      length: extra.length,
      directoryLength,
      directoryDigest,
      info: Buffer.from('anything'),
    };
    const records = [directory.records[0]!, directory.records[1]!, record];
    const head = encodeFileHead(records, { sourceHint: 'x', minor: 0 });
    const forged = critical ? head : clearCritical(head);
    assert.equal(await refusal(Buffer.concat([forged, ...sections, extra])), expected);
  }
});

/** Clears the critical flag of the section of type 77. */
function clearCritical(head: Buffer): Buffer {
  const at = head.indexOf(Buffer.from([77, 1]));
  const directory = Buffer.from(head);
  directory[at + 1] = 0;
  return signHead(directory);
}

function signHead(head: Buffer): Buffer {
  const start = 64 + head.readUInt32LE(48);
  sha256(head.subarray(start)).copy(head, 16);
  return head;
}

test('streams of an unknown kind are skipped, unless they are critical', async () => {
  for (const [flags, expected] of [
    [0, undefined],
    [1, 'NEWER_INDEX'],
  ] as const) {
    const file = exampleIndex();
    const { sections } = split(file);
    const forged = forgeDirectory(sections[1]!, (directory) => {
      const streams = directory.indexOf(Buffer.from([2, STREAM.entries, 1, 1]));
      directory[streams] = 3;
      const block = Buffer.concat([Buffer.from([99, flags, 1, 4, 4, 0]), Buffer.alloc(32)]);
      return Buffer.concat([directory, block]);
    });
    assert.equal(await refusal(replaceSection(file, 1, Buffer.concat([forged, Buffer.alloc(4)]))), expected);
  }
});

test('a later minor version may append facts; in this one they are corrupt', async () => {
  const parts = takeApart(exampleIndex());
  parts.sections[1]!.info = Buffer.concat([parts.sections[1]!.info, Buffer.from([9, 9])]);
  const file = putTogether(parts);
  assert.equal(await refusal(file), 'CORRUPT_INDEX');
  const later = takeApart(exampleIndex());
  later.sections.forEach((section) => {
    section.info = Buffer.concat([section.info, Buffer.from([9, 9])]);
  });
  const bytes = putTogether(later);
  const { directory, sections } = split(bytes);
  for (const section of sections) section.writeUInt16LE(3, 10);
  const records = directory.records.map((record) => record!);
  assert.equal(
    await refusal(Buffer.concat([encodeFileHead(records, { sourceHint: undefined, minor: 3 }), ...sections])),
    undefined,
  );
});

test('a hard link must lead to an entry that is none', async () => {
  const out = new ByteWriter();
  // Root, then both entries of the layer; the second claims to be a link to the first.
  for (const value of [1, 0, 0, 2, 0, 2, 0, 1, 0, 0, 0]) out.varint(value);
  out.varint(1);
  out.varint(2);
  out.varint(0);
  out.svarint(-1);
  out.varint(0);
  assert.equal(await refusal(withBlock(STREAM.merge, out.copy())), 'CORRUPT_INDEX');
});

type Rows = Pick<Span, 'length' | 'byte' | 'end'>[] & Partial<Span>[];

/** The example with another span table, its rows in one or more blocks. Its layer has 2560 bytes, compressed or not. */
function withSpans(...blocks: Rows[]): Buffer {
  const parts = takeApart(exampleIndex());
  const layer = parts.sections[1]!;
  const stream = layer.streams.find(({ id }) => id === STREAM.spans)!;
  const digest = 'ab'.repeat(32);
  let offset = 0;
  let index = 0;
  let end = 0;
  stream.blocks = blocks.map((rows) => {
    const spans = rows.map((row): Span => {
      const span: Span = { kind: 'frame', bit: 0, skip: 0, digest, ...row, index: index++, offset };
      offset += row.length;
      return span;
    });
    const block = spanBlock(spans, end);
    end = spans.at(-1)!.end;
    return block;
  });
  layer.info[layer.info.length - 1] = index;
  return putTogether(parts);
}

const one = { length: 1000, byte: 0, end: 900 };
const two = { length: 1000, byte: 900, end: 1700 };
const three = { length: 560, byte: 1700, end: 2560 };
const frame = { byte: 0, end: 2560 };

test('spans that follow one another are taken, in one block or more, each for itself or as parts of a frame', async () => {
  const parts = [
    { ...one, ...frame },
    { ...two, ...frame, skip: 1000 },
    { ...three, ...frame, skip: 2000 },
  ];
  for (const rows of [[one, two, three], parts]) {
    assert.equal(await refusal(withSpans(rows)), undefined);
    for (const at of [1, 2]) {
      assert.equal(await refusal(withSpans(rows.slice(0, at), rows.slice(at))), undefined, `cut at ${at}`);
    }
    assert.equal(await refusal(withSpans(...rows.map((row) => [row]))), undefined);
  }
});

test('spans that go back or skip what is not of their frame are refused, from block to block too', async () => {
  const wrong: Record<string, Rows> = {
    'begins before the one before': [one, two, { ...three, byte: 800 }],
    'ends before the one before': [one, { ...two, end: 2000 }, { ...three, end: 1900 }],
    'skips another frame': [one, two, { ...three, skip: 1500 }],
    'skips too little of its own': [one, two, { ...three, byte: 900, end: 1700, skip: 500 }],
    'has the start of a frame, and does not skip': [one, two, { ...three, byte: 900, end: 1700 }],
    'goes on in a frame with another end': [one, two, { ...three, byte: 900, skip: 1000 }],
    'goes on in a frame as something else': [one, two, { ...three, byte: 900, end: 1700, kind: 'raw' }],
  };
  for (const [name, rows] of Object.entries(wrong)) {
    assert.equal(await refusal(withSpans(rows)), 'CORRUPT_INDEX', name);
    for (const at of [1, 2]) {
      const cut = withSpans(rows.slice(0, at), rows.slice(at));
      assert.equal(await refusal(cut), 'CORRUPT_INDEX', `${name}, in the block behind ${at}`);
    }
  }
  assert.equal(await refusal(withSpans([{ ...one, skip: 10 }, two, three])), 'CORRUPT_INDEX');
});

test('a span that begins its block is held against the one before also where it is asked for alone', async () => {
  const file = withSpans([one, two], [{ ...three, byte: 800 }]);
  const index = await openIndex(bufferSource(file));
  await assert.rejects(index.spans(0, 2100, 10), (error) => isClipError(error, 'CORRUPT_INDEX'));
});
