/** Scans a gzip blob in chunks and holds it against what it should yield; then resumes every span. */
import { createHash } from 'node:crypto';
import { isClipError } from '../../src/errors.js';
import type { Span, SpanContext } from '../../src/format/model.js';
import { createGzipDecoder } from '../../src/inflate/gzip/decode.js';
import { inflateGzipSpan } from '../../src/inflate/gzip/resume.js';
import { createGzipScanner } from '../../src/inflate/gzip/scan.js';
import type { ScanSummary } from '../../src/inflate/scanner.js';
import { chunksOf } from './random.js';
import type { Outcome } from './target.js';

/** The least that the scanner takes, so that even a small input has several spans. */
const SPACING = 131072;

export interface Expected {
  /** Undefined: the blob must be refused. */
  plain: Buffer | undefined;
  trailing: number;
}

export function checkGzip(blob: Uint8Array, expected: Expected, seed: number): Outcome {
  const pieces: Buffer[] = [];
  const spans: { span: Span; context: SpanContext }[] = [];
  const scanner = createGzipScanner(
    {
      data: (bytes) => void pieces.push(Buffer.from(bytes)),
      span: (span, context) => void spans.push({ span, context }),
    },
    { spacing: SPACING },
  );
  let summary: ScanSummary;
  try {
    for (const chunk of chunksOf(blob, seed)) scanner.push(chunk);
    summary = scanner.end() as ScanSummary;
  } catch (error) {
    if (!isClipError(error, 'CORRUPT_LAYER')) throw error;
    if (expected.plain !== undefined) throw new Error(`refused what zlib takes: ${error.message}`);
    checkDecoder(blob, undefined);
    return 'refused';
  }
  const { plain } = expected;
  if (plain === undefined) throw new Error('took what zlib refuses');
  if (!Buffer.concat(pieces).equals(plain)) throw new Error('other bytes than zlib');
  const { uncompressedSize, trailingBytes } = summary;
  if (uncompressedSize !== plain.length || trailingBytes !== expected.trailing)
    throw new Error(`summary of ${uncompressedSize} and ${trailingBytes} trailing bytes`);
  let offset = 0;
  for (const [index, { span, context }] of spans.entries()) {
    const isSound =
      span.index === index &&
      span.offset === offset &&
      span.length >= 1 &&
      span.length <= 2 * SPACING &&
      span.end <= blob.length &&
      context.window.length <= 32768 &&
      (context.header?.bytes.length ?? 0) <= 600;
    if (!isSound) throw new Error(`span ${index} is not sound: ${JSON.stringify(span)}`);
    const bytes = inflateGzipSpan(span, context, blob.slice(span.byte, span.end));
    if (!plain.subarray(offset, offset + span.length).equals(bytes))
      throw new Error(`span ${index} (${span.kind}, bit ${span.bit}) resumes to other bytes`);
    if (createHash('sha256').update(bytes).digest('hex') !== span.digest)
      throw new Error(`span ${index} has another digest`);
    offset += span.length;
  }
  if (offset !== plain.length) throw new Error(`spans end at ${offset} of ${plain.length}`);
  checkDecoder(blob, plain);
  return 'taken';
}

/** The decoder without spans agrees with the scan. */
function checkDecoder(blob: Uint8Array, plain: Buffer | undefined): void {
  const pieces: Buffer[] = [];
  const decoder = createGzipDecoder({ data: (bytes) => void pieces.push(Buffer.from(bytes)) });
  try {
    decoder.push(blob);
    decoder.end();
  } catch (error) {
    if (!isClipError(error, 'CORRUPT_LAYER') || plain !== undefined) throw error;
    return;
  }
  if (plain === undefined) throw new Error('the decoder took what the scan refuses');
  if (!Buffer.concat(pieces).equals(plain)) throw new Error('the decoder yields other bytes than the scan');
}
