/** Helpers of the gzip tests: run a scan to its end, resume every span, make streams with real programs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Span, SpanContext } from '../../src/format/model.js';
import { inflateGzipSpan } from '../../src/inflate/gzip/resume.js';
import { createGzipScanner } from '../../src/inflate/gzip/scan.js';
import type { ScanSummary } from '../../src/inflate/scanner.js';

export interface Scanned {
  plain: Buffer;
  spans: { span: Span; context: SpanContext }[];
  summary: ScanSummary;
}

/** The least spacing that a scanner takes: the most checkpoints. */
export const LEAST_SPACING = 131072;

/** Scans a blob handed over in chunks of the sizes that `sizes` yields in turn. */
export function scanBlob(blob: Uint8Array, spacing: number, sizes: readonly number[] = [65536]): Scanned {
  const pieces: Buffer[] = [];
  const spans: Scanned['spans'] = [];
  const scanner = createGzipScanner(
    {
      data: (bytes) => void pieces.push(Buffer.from(bytes)),
      span: (span, context) => void spans.push({ span, context }),
    },
    { spacing },
  );
  for (let at = 0, turn = 0; at < blob.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    scanner.push(blob.subarray(at, at + size));
    at += size;
  }
  const summary = scanner.end() as ScanSummary;
  return { plain: Buffer.concat(pieces), spans, summary };
}

/** Scans, compares with what the oracle says, and resumes every span: the bytes, the digests, the bounds of the contract. */
export function assertScan(blob: Uint8Array, plain: Uint8Array, spacing = LEAST_SPACING): Scanned {
  const scanned = scanBlob(blob, spacing);
  assert.equal(scanned.summary.uncompressedSize, plain.length);
  assert.ok(scanned.plain.equals(plain), 'the scan yields the same bytes');
  assertSpans(scanned, blob, spacing);
  return scanned;
}

function assertSpans({ spans, plain }: Scanned, blob: Uint8Array, spacing: number): void {
  let offset = 0;
  for (const [index, { span, context }] of spans.entries()) {
    assert.equal(span.index, index);
    assert.equal(span.offset, offset);
    assert.ok(span.length >= 1 && span.length <= 2 * spacing, `span of ${span.length} bytes`);
    assert.ok(span.end <= blob.length && context.window.length <= 32768);
    assert.ok((context.header?.bytes.length ?? 0) <= 600);
    // A copy of exactly the span's bytes: nothing beyond `end` can be looked at.
    const bytes = inflateGzipSpan(span, context, blob.slice(span.byte, span.end));
    const expected = plain.subarray(offset, offset + span.length);
    assert.ok(expected.equals(bytes), `span ${index} (${span.kind} at bit ${span.bit}) resumes`);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), span.digest);
    offset += span.length;
  }
  assert.equal(offset, plain.length);
}

/** Runs a program over bytes; undefined when it is not installed. */
export function pipeThrough(command: string, args: readonly string[], input: Uint8Array): Buffer | undefined {
  const run = spawnSync(command, args, { input, maxBuffer: 2 ** 30 });
  if (run.error !== undefined && 'code' in run.error && run.error.code === 'ENOENT') return undefined;
  assert.equal(run.status, 0, `${command} ${args.join(' ')}: ${run.stderr}`);
  return run.stdout;
}

/** A reproducible generator of numbers below 2^32 (xorshift32). */
export function createRandom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Bytes like a tar's: words, repeats near and far (distances up to 32,768), runs of zeros, and noise. */
export function layerLikeBytes(length: number, seed: number): Buffer {
  const random = createRandom(seed);
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const kind = random(10);
    const size = Math.min(1 + random(kind < 2 ? 4000 : 200), length - at);
    if (kind === 0) at += size;
    else if (kind === 1) for (const end = at + size; at < end; at++) bytes[at] = random(256);
    else if (kind < 6 && at > 40000) {
      const from = at - 1 - random(32768);
      for (let i = 0; i < size; i++) bytes[at + i] = bytes[from + i]!;
      at += size;
    } else at += bytes.write(`${random(100000)} some/path/of/a/file-${random(50)} `, at, size, 'latin1');
  }
  return bytes;
}
