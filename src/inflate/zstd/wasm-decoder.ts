import { ClipError } from '../../errors.js';
import { instantiateWasm, type WasmModule } from '../../wasm.js';
import { type FrameDecoder, type FrameStream, undecodable } from './frame-decoder.js';

/**
 * libzstd, compiled to WebAssembly by the package zstddec, for a Node without zstd. The package's own loop is not used: it takes
 * no input step by step, ignores error codes and so never ends on a wrong checksum or a large window. Here every call must take
 * input or give output, so a frame is done after a number of calls that its size and its output bound.
 */

/** What the module exports; pointers and sizes are 32-bit. */
interface Libzstd {
  memory: { readonly buffer: ArrayBuffer };
  malloc(size: number): number;
  free(pointer: number): void;
  ZSTD_createDCtx(): number;
  ZSTD_freeDCtx(context: number): void;
  ZSTD_decompress(to: number, toSize: number, from: number, fromSize: number): number;
  ZSTD_decompressStream(context: number, output: number, input: number): number;
}

/** Bytes of one step's input and output: a block's worth, and what the cache holds. */
const INPUT = 128 << 10;
const OUTPUT = 256 << 10;

/** Results from here on are error codes, negated (ZSTD_isError). */
const FIRST_ERROR = 2 ** 32 - 120;

/**
 * Each stream has an instance of its own, so that one that is left without `close` is collected whole. Those that were closed
 * serve again; as WebAssembly memory never shrinks, one that a large window made grow beyond this is dropped.
 */
const KEPT_MEMORY = 32 << 20;
const KEPT_INSTANCES = 4;

let loading: Promise<FrameDecoder> | undefined;

/** The one decoder of this kind that the process has; loaded at the first call. */
export function wasmFrameDecoder(): Promise<FrameDecoder> {
  loading ??= loadModule().then(createDecoder);
  return loading;
}

function createDecoder(module: WasmModule): FrameDecoder {
  const forWhole = instantiate(module);
  const kept: Libzstd[] = [];

  function release(zstd: Libzstd): void {
    if (kept.length < KEPT_INSTANCES && zstd.memory.buffer.byteLength <= KEPT_MEMORY) kept.push(zstd);
  }

  return {
    name: 'wasm',
    whole: (frame, bound) => decodeWhole(forWhole, frame, bound),
    open: () => openStream(kept.pop() ?? instantiate(module), release),
  };
}

/** The compiled module, as the package's decoder is handed it. The query makes a copy of the package that nobody else shares. */
async function loadModule(): Promise<WasmModule> {
  const own = `${import.meta.resolve('zstddec/stream')}?clip`;
  const { ZSTDDecoder } = (await import(own)) as typeof import('zstddec/stream');
  return new Promise((resolve, reject) => {
    class Capture extends ZSTDDecoder {
      override _init(result: { module: WasmModule }): void {
        resolve(result.module);
      }
    }
    new Capture().init().catch(reject);
  });
}

function instantiate(module: WasmModule): Libzstd {
  const env = { emscripten_notify_memory_growth() {} };
  return instantiateWasm<Libzstd>(module, { env });
}

function decodeWhole(zstd: Libzstd, frame: Uint8Array, bound: number): Uint8Array {
  const from = allocate(zstd, frame.length + bound);
  try {
    const to = from + frame.length;
    new Uint8Array(zstd.memory.buffer).set(frame, from);
    const size = checked(() => zstd.ZSTD_decompress(to, bound, from, frame.length));
    return new Uint8Array(zstd.memory.buffer).slice(to, to + size);
  } finally {
    zstd.free(from);
  }
}

function openStream(zstd: Libzstd, release: (zstd: Libzstd) => void): FrameStream {
  const context = zstd.ZSTD_createDCtx();
  if (context === 0) throw outOfMemory();
  /** ZSTD_outBuffer and ZSTD_inBuffer ({pointer, size, pos} each), then the two buffers. */
  const output = allocate(zstd, 24 + OUTPUT + INPUT);
  const input = output + 12;
  const to = output + 24;
  const from = to + OUTPUT;
  let isDone = false;

  /** Runs libzstd until it took the input that lies at `from`. */
  function* run(size: number): Generator<Uint8Array, void, undefined> {
    let taken = 0;
    for (;;) {
      writeBuffer(zstd, output, [to, OUTPUT, 0]);
      writeBuffer(zstd, input, [from, size, taken]);
      const hint = checked(() => zstd.ZSTD_decompressStream(context, output, input));
      const view = new DataView(zstd.memory.buffer);
      const made = view.getUint32(output + 8, true);
      const nowTaken = view.getUint32(input + 8, true);
      if (made > 0) yield new Uint8Array(zstd.memory.buffer, to, made);
      isDone = hint === 0;
      if (isDone || (made < OUTPUT && nowTaken === size)) return;
      if (made === 0 && nowTaken === taken) throw undecodable('the decoder made no progress');
      taken = nowTaken;
    }
  }

  return {
    async *write(chunk) {
      for (let at = 0; at < chunk.length; at += INPUT) {
        const piece = chunk.subarray(at, at + INPUT);
        new Uint8Array(zstd.memory.buffer).set(piece, from);
        yield* run(piece.length);
      }
    },
    // biome-ignore lint/correctness/useYield: `write` handed on all that its input let out.
    async *end() {
      if (!isDone) throw undecodable('it is cut off');
    },
    close() {
      zstd.ZSTD_freeDCtx(context);
      zstd.free(output);
      release(zstd);
    },
  };
}

function writeBuffer(zstd: Libzstd, pointer: number, fields: readonly number[]): void {
  const view = new DataView(zstd.memory.buffer);
  for (const [at, value] of fields.entries()) view.setUint32(pointer + 4 * at, value, true);
}

function allocate(zstd: Libzstd, size: number): number {
  const pointer = zstd.malloc(size);
  if (pointer === 0) throw outOfMemory();
  return pointer;
}

/** @throws ClipError CORRUPT_LAYER or LIMIT when libzstd's result is an error code, or it traps. */
function checked(call: () => number): number {
  let result: number;
  try {
    result = call() >>> 0;
  } catch (cause) {
    throw undecodable(cause);
  }
  if (result < FIRST_ERROR) return result;
  const code = 2 ** 32 - result;
  if (code === ERROR_MEMORY) throw outOfMemory();
  throw undecodable(ERRORS.get(code) ?? `libzstd error ${code}`);
}

/** ZSTD_ErrorCode, zstd_errors.h: stable since 1.3.1. */
const ERROR_MEMORY = 64;
const ERRORS = new Map([
  [10, 'unknown frame'],
  [14, 'unsupported frame parameter'],
  [16, 'window too large'],
  [20, 'data corruption detected'],
  [22, 'wrong checksum'],
  [30, 'corrupted dictionary'],
  [70, 'more content than announced'],
  [72, 'wrong source size'],
]);

function outOfMemory(): ClipError {
  return new ClipError('LIMIT', 'not enough memory to decode a zstd frame', {
    hint: 'its window takes up to 128 MiB: give clip more memory',
  });
}
