/** Resumes decoding of a gzip layer at a checkpoint. */
import type { Span, SpanContext } from '../../format/model.js';
import { acquireCore, type Core, releaseCore, WINDOW_SIZE } from './core.js';
import { damaged } from './damage.js';
import { createMemberReader } from './reader.js';

/** DEFLATE's limit: 258 bytes out of two bits. */
const MAX_RATIO = 1032;

/**
 * The `span.length` uncompressed bytes of a span, in memory of their own. `compressed` is the blob's [span.byte, span.end).
 * The bytes' digest is for the caller to check: what a wrong window or damaged input yields is bounded, not right.
 *
 * @throws ClipError CORRUPT_LAYER where the input does not decode to exactly that many bytes, or refers to bytes before the
 *   window.
 */
export function inflateGzipSpan(span: Span, context: SpanContext, compressed: Uint8Array): Uint8Array {
  checkLength(span, compressed);
  return inflateGzipSpanInto(Buffer.allocUnsafeSlow(span.length), { span, context, compressed });
}

/** DEFLATE cannot make so much of so little: no memory is taken for it. Throws CORRUPT_LAYER. */
export function checkLength(span: Span, compressed: Uint8Array): void {
  if (!(span.length >= 1 && span.length <= (compressed.length + 1) * MAX_RATIO)) {
    throw damaged(`${compressed.length} bytes cannot hold a span of ${span.length}`);
  }
}

/** As `inflateGzipSpan`, into memory of `span.length` bytes, which is the result. */
export function inflateGzipSpanInto<Bytes extends Uint8Array>(
  result: Bytes,
  { span, context, compressed }: { span: Span; context: SpanContext; compressed: Uint8Array },
): Bytes {
  const core = acquireCore();
  try {
    let length = 0;
    prepare(core, span, context);
    const reader = createMemberReader(
      core,
      {
        data(bytes) {
          if (bytes.length > result.length - length) throw damaged('a span does not end where it should');
          result.set(bytes, length);
          length += bytes.length;
        },
        stopAt: () => span.length,
        stopped: () => true,
      },
      { verify: false, insideBody: span.kind !== 'member' },
    );
    reader.push(compressed);
    if (length < span.length) throw damaged(`a span ends after ${length} of ${span.length} bytes`);
    return result;
  } finally {
    releaseCore(core);
  }
}

/** Puts window, tables and bit position of the checkpoint into a core in its initial state. */
function prepare(core: Core, span: Span, context: SpanContext): void {
  const { wasm, bytes } = core;
  const { kind, bit } = span;
  if (span.skip !== 0) throw damaged('a gzip span with bytes to skip');
  if (!(bit >= 0 && bit <= 7) || (kind === 'member' && bit !== 0)) throw damaged('a span begins at no bit');
  if (kind === 'member') return;
  if (kind !== 'block' && kind !== 'symbol') throw damaged(`a span of kind ${kind} in a gzip layer`);
  const window = context.window.subarray(-WINDOW_SIZE);
  bytes.set(window, wasm.outputNext() - window.length);
  wasm.beginMember(window.length);
  if (kind === 'symbol') loadHeader(core, context);
  wasm.seekInput(core.input, bit);
}

function loadHeader({ wasm, bytes, input }: Core, { header }: SpanContext): void {
  if (
    header === undefined ||
    header.bytes.length === 0 ||
    header.bytes.length > 600 ||
    !(header.bit >= 0 && header.bit <= 7)
  ) {
    throw damaged('a span lacks the header of its block');
  }
  bytes.set(header.bytes, input);
  wasm.setInputEnd(input + header.bytes.length);
  wasm.seekInput(input, header.bit);
  if (wasm.loadHeader() === 0) throw damaged('a span has no valid block header');
  wasm.setInputEnd(input);
}
