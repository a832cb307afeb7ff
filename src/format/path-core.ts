/**
 * The decoder of front-coded paths (core/paths.ts compiled to WebAssembly): one instance, since it does its work in one go. It is compiled
 * when the first block is decoded, which takes a millisecond.
 */
import { compileWasm, instantiateWasm } from '../wasm.js';

/** What a status other than 0 means; as in core/paths.ts. */
const FAULTS = [
  undefined,
  'too many paths',
  'length of a path',
  'a path is too long',
  'too many bytes of paths',
  'ends too early',
  'a path shares more than there is',
  'paths are not in order',
  'a path is not clean',
];

interface WasmExports {
  memory: { buffer: ArrayBuffer };
  inputStart: { value: number };
  inputSize: { value: number };
  repeatsStart: { value: number };
  linesStart: { value: number };
  outputStart: { value: number };
  consumed(): number;
  repeatCount(): number;
  isPlain(): number;
  decode(size: number, count: number, allowEqual: number): number;
}

interface Core {
  wasm: WasmExports;
  bytes: Buffer;
}

/** `allowEqual`: the same path may follow itself (duplicates in a layer's tar). */
export interface PathOrder {
  allowEqual: boolean;
}

export interface DecodedPaths {
  /** Each path between a slash and a newline. */
  bytes: Buffer;
  /** Where each line begins, and the last one ends. */
  lines: Uint32Array;
  /** Whether all bytes are printable ASCII other than a backslash. */
  plain: boolean;
  /** Rows whose path is that of the row before. */
  repeats: ReadonlySet<number>;
  /** Encoded bytes. */
  consumed: number;
}

let core: Core | undefined;

function instantiate(): Core {
  const wasm = instantiateWasm<WasmExports>(compileWasm(new URL('./paths.wasm', import.meta.url)));
  return { wasm, bytes: Buffer.from(wasm.memory.buffer) };
}

/** Decodes `count` paths from the beginning of a block's bytes, and checks them; returns what is wrong where something is. */
export function decodePaths(encoded: Uint8Array, count: number, order: PathOrder): DecodedPaths | string {
  const fault = faultOfPaths(encoded, count, order);
  if (fault !== undefined) return fault;
  const { wasm, bytes } = core!;
  const lines = new Uint32Array(wasm.memory.buffer, wasm.linesStart.value, count + 1).slice();
  const repeats = new Uint16Array(wasm.memory.buffer, wasm.repeatsStart.value, wasm.repeatCount());
  const from = wasm.outputStart.value;
  return {
    bytes: Buffer.from(bytes.subarray(from, from + lines[count]!)),
    lines,
    plain: wasm.isPlain() === 1,
    repeats: new Set(repeats),
    consumed: wasm.consumed(),
  };
}

/** What is wrong with `count` paths at the beginning of a block's bytes, if anything. */
export function faultOfPaths(
  encoded: Uint8Array,
  count: number,
  { allowEqual }: PathOrder,
): string | undefined {
  core ??= instantiate();
  const { wasm, bytes } = core;
  const size = Math.min(encoded.length, wasm.inputSize.value);
  bytes.set(encoded.length === size ? encoded : encoded.subarray(0, size), wasm.inputStart.value);
  const status = wasm.decode(size, count, allowEqual ? 1 : 0);
  return status === 0 ? undefined : FAULTS[status];
}
