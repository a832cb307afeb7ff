import { openBlock } from '../../src/format/block-decoder.js';
import { encodeBlock } from '../../src/format/block-encoder.js';
import { ByteWriter } from '../../src/format/byte-writer.js';
import { sha256 } from '../../src/format/digest.js';
import { encodeFileHead, HEADER_BYTES, readFileDirectory, readHeader } from '../../src/format/file-head.js';
import { FILE_MAGIC } from '../../src/format/magic.js';
import type { Span } from '../../src/format/model.js';
import {
  type EncodedStream,
  encodeSection,
  PREAMBLE_BYTES,
  readPreamble,
  readSectionDirectory,
  type SectionType,
  STREAM,
} from '../../src/format/section.js';
import { START_KINDS } from '../../src/format/span-kinds.js';

/** An index file taken apart, to be changed and put together again with digests that hold: what an attacker can do. */
export interface Parts {
  sections: SectionParts[];
}

export interface SectionParts {
  type: number;
  info: Buffer;
  streams: { id: number; blocks: { decoded: Buffer; items: number; key: number }[] }[];
}

/** A block of the span table, without records in `windows`. `end`: compressed end of the span before it. */
export function spanBlock(
  spans: readonly Span[],
  end = 0,
): SectionParts['streams'][number]['blocks'][number] {
  const out = new ByteWriter();
  for (const value of [end, 0, 0]) out.varint(value);
  for (const { length } of spans) out.varint(length);
  let before = end;
  for (const span of spans) {
    out.svarint(span.byte - before);
    before = span.end;
  }
  for (const span of spans) out.varint(span.end - span.byte);
  for (const { kind, bit } of spans) out.u8(START_KINDS.indexOf(kind) * 8 + bit);
  for (const { skip } of spans) out.varint(skip);
  for (let i = 0; i < spans.length; i++) out.varint(0);
  for (const { digest } of spans) out.bytes(Buffer.from(digest, 'hex'));
  return { decoded: out.copy(), items: spans.length, key: spans[0]!.offset };
}

export function takeApart(file: Buffer): Parts {
  const { directory, sections } = split(file);
  return {
    sections: sections.map((section, i) => {
      const preamble = readPreamble(section.subarray(0, PREAMBLE_BYTES), '');
      const head = readSectionDirectory(
        section.subarray(PREAMBLE_BYTES, PREAMBLE_BYTES + preamble.directoryLength),
        preamble,
        '',
      );
      return {
        type: directory.records[i]!.type,
        info: Buffer.from(head.info),
        streams: [...head.streams].map(([id, stream]) => ({
          id,
          blocks: Array.from({ length: stream.count }, (_, index) => {
            const start = stream.offset[index]!;
            const stored = section.subarray(start, start + stream.stored[index]!);
            return {
              decoded: openBlock(stored, { stream, index, where: '' }),
              items: stream.firstItem[index + 1]! - stream.firstItem[index]!,
              key: stream.key[index]!,
            };
          }),
        })),
      };
    }),
  };
}

export function putTogether({ sections }: Parts): Buffer {
  const encoded = sections.map(({ type, info, streams }) =>
    encodeSection(
      type as SectionType,
      info,
      streams.map(
        ({ id, blocks }): EncodedStream => ({
          id,
          keyed: id === STREAM.spans,
          blocks: blocks.map(({ decoded, items, key }) => encodeBlock(decoded, items, key)),
        }),
      ),
    ),
  );
  return join(
    encoded,
    sections.map(({ type, info }) => ({ type, info })),
  );
}

/** The file with one section's bytes replaced, signed anew. The section's preamble is taken as it is. */
export function replaceSection(file: Buffer, number: number, section: Buffer): Buffer {
  const { directory, sections } = split(file);
  const replaced = sections.map((old, i) => (i === number ? section : old));
  return join(
    replaced,
    directory.records.map((record) => ({ type: record!.type, info: record!.info })),
  );
}

/** A section whose directory's bytes are changed, with a preamble that holds. */
export function forgeDirectory(section: Buffer, edit: (directory: Buffer) => Buffer): Buffer {
  const { directoryLength } = readPreamble(section.subarray(0, PREAMBLE_BYTES), '');
  const end = PREAMBLE_BYTES + directoryLength;
  const directory = edit(Buffer.from(section.subarray(PREAMBLE_BYTES, end)));
  const preamble = Buffer.from(section.subarray(0, PREAMBLE_BYTES));
  preamble.writeUInt32LE(directory.length, 12);
  sha256(directory).copy(preamble, 16);
  return Buffer.concat([preamble, directory, section.subarray(end)]);
}

/** The file whose own directory's bytes are changed, with a header that holds. */
export function forgeFileDirectory(file: Buffer, edit: (directory: Buffer) => Buffer): Buffer {
  const header = readHeader(file.subarray(0, HEADER_BYTES));
  const start = HEADER_BYTES + header.hintLength;
  const end = start + header.directoryLength;
  const directory = edit(Buffer.from(file.subarray(start, end)));
  const out = new ByteWriter();
  out.bytes(FILE_MAGIC);
  out.u16(header.major);
  out.u16(header.minor);
  out.u32(directory.length);
  out.bytes(sha256(directory));
  out.bytes(file.subarray(48, start));
  return Buffer.concat([out.view(), directory, file.subarray(end)]);
}

export function split(file: Buffer) {
  const header = readHeader(file.subarray(0, HEADER_BYTES));
  const start = HEADER_BYTES + header.hintLength;
  const body = start + header.directoryLength;
  const directory = readFileDirectory(file.subarray(start, body), header);
  const sections = directory.records.map((record, i) => {
    const from = body + directory.offsets[i]!;
    return file.subarray(from, from + record!.length);
  });
  return { directory, sections };
}

function join(sections: readonly Buffer[], facts: readonly { type: number; info: Buffer }[]): Buffer {
  const records = sections.map((section, i) => {
    const { directoryLength, directoryDigest } = readPreamble(section.subarray(0, PREAMBLE_BYTES), '');
    return { ...facts[i]!, length: section.length, directoryLength, directoryDigest };
  });
  return Buffer.concat([encodeFileHead(records, { sourceHint: 'hint', minor: 0 }), ...sections]);
}
