import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import xxhash from 'xxhash-wasm';
import type { Span } from '../../src/format/model.js';
import type { ScanSummary } from '../../src/inflate/scanner.js';
import type { FrameDecoder } from '../../src/inflate/zstd/frame-decoder.js';
import { nativeFrameDecoder } from '../../src/inflate/zstd/native-decoder.js';
import { createZstdScanner } from '../../src/inflate/zstd/scan.js';
import { wasmFrameDecoder } from '../../src/inflate/zstd/wasm-decoder.js';

const { h64Raw } = await xxhash();

/** Both decoders where the running Node has its own, else the fallback alone. */
export const decoders: FrameDecoder[] = [await wasmFrameDecoder(), nativeFrameDecoder()].filter(
  (decoder) => decoder !== undefined,
);

export function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version']).error === undefined;
}

/** What the real program makes of `input` on its stdin. */
export function run(program: string, args: string[], input: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: 1 << 30 });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Text that compresses to about a quarter, the same for the same seed. */
export function sample(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size, '.');
  let state = seed;
  for (let at = 0; at + 20 < size; ) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    at += bytes.write(`${(state >>> 12) % 5000} layer/${(state >>> 20) % 50}\n`, at, 'latin1');
  }
  return bytes;
}

export type Block = { raw: Uint8Array } | { zeros: number };

export interface FrameOptions {
  /** Uncompressed size that the header states; undefined: none. */
  contentSize?: number | bigint | undefined;
  /** The low 32 bits of XXH64 to state; `true`: the right ones. */
  checksum?: number | boolean;
  /** Window_Descriptor, default 64 (a window of 256 KiB). */
  window?: number;
  dictionary?: number;
}

/** A zstd frame by hand, of raw and RLE blocks. */
export function makeFrame(blocks: Block[], options: FrameOptions = {}): Buffer {
  const { contentSize, checksum = false, window = 64, dictionary } = options;
  const descriptor =
    (contentSize === undefined ? 0 : 3 << 6) |
    (checksum === false ? 0 : 4) |
    (dictionary === undefined ? 0 : 3);
  const parts: Uint8Array[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, window])];
  if (dictionary !== undefined) parts.push(uint32(dictionary));
  if (contentSize !== undefined) {
    const field = Buffer.alloc(8);
    field.writeBigUInt64LE(BigInt(contentSize));
    parts.push(field);
  }
  for (const [at, block] of blocks.entries()) {
    const isLast = at === blocks.length - 1 ? 1 : 0;
    if ('raw' in block)
      parts.push(uint32((block.raw.length << 3) | isLast).subarray(0, 3), Buffer.from(block.raw));
    else parts.push(uint32((block.zeros << 3) | 2 | isLast).subarray(0, 3), Buffer.from([0]));
  }
  if (checksum === true) {
    const content = Buffer.concat(
      blocks.map((block) => ('raw' in block ? block.raw : Buffer.alloc(block.zeros))),
    );
    parts.push(uint32(Number(h64Raw(content) & 0xffffffffn)));
  } else if (checksum !== false) parts.push(uint32(checksum));
  return Buffer.concat(parts);
}

/** `content` in raw blocks of at most 128 KiB. */
export function rawFrame(content: Uint8Array, options: FrameOptions = {}): Buffer {
  const blocks: Block[] = [];
  for (let at = 0; at < content.length; at += 131072) blocks.push({ raw: content.subarray(at, at + 131072) });
  return makeFrame(blocks.length > 0 ? blocks : [{ raw: content }], options);
}

export function skippable(content: Uint8Array, kind = 0): Buffer {
  return Buffer.concat([uint32(0x184d2a50 + kind), uint32(content.length), content]);
}

function uint32(value: number): Buffer {
  const field = Buffer.alloc(4);
  field.writeUInt32LE(value >>> 0);
  return field;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** `bytes` in chunks whose sizes go round `sizes`; each is wiped after use, as a source may do with its buffers. */
export function* chunked(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    yield chunk;
    chunk.fill(0xaa);
    at += size;
  }
}

export interface Scanned {
  data: Buffer;
  spans: Span[];
  summary: ScanSummary;
}

export async function scanZstd(
  blob: Uint8Array,
  options: { spacing?: number; sizes?: readonly number[]; decoder?: FrameDecoder } = {},
): Promise<Scanned> {
  const { spacing = 131072, sizes = [65536], decoder = decoders[0]! } = options;
  const pieces: Buffer[] = [];
  const spans: Span[] = [];
  const sink = {
    data: (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)),
    span: (span: Span) => void spans.push(span),
  };
  const scanner = createZstdScanner(sink, { spacing, decoder });
  for (const chunk of chunked(blob, sizes)) await scanner.push(chunk);
  const summary = await scanner.end();
  return { data: Buffer.concat(pieces), spans, summary };
}
