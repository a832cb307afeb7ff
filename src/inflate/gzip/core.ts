/**
 * Instances of the DEFLATE core (core/index.ts compiled to WebAssembly). An instance decodes one stream at a time and takes
 * about 1.2 MB; a scan or a resume borrows one from a pool, so several can be under way at once, and a sink that itself
 * inflates a span cannot disturb the scan that calls it. The module is compiled on first use.
 */
import { announceWasm } from '../../before-wasm.js';
import { compileWasm, instantiateWasm, type WasmModule } from '../../wasm.js';

/** What `run` returns; as in core/state.ts. */
export const STATUS = { needInput: 0, stopped: 1, block: 2, end: 3 } as const;
/** What a status above `end` means. */
export const DAMAGE: Readonly<Record<number, string>> = {
  4: 'invalid block type',
  5: 'stored block lengths do not match',
  6: 'invalid code lengths',
  7: 'invalid code',
  8: 'distance too far back',
};
/** What `blockState` returns while inside a Huffman-coded block. */
export const IN_CODES = 2;
/** Bytes that a back-reference can reach: RFC 1951, section 2. */
export const WINDOW_SIZE = 32768;

interface WasmExports {
  memory: { buffer: ArrayBuffer };
  inputStart: { value: number };
  inputSize: { value: number };
  outputStart: { value: number };
  outputSize: { value: number };
  headerStart: { value: number };
  windowStart: { value: number };
  reset(): void;
  beginMember(window: number): void;
  inputNext(): number;
  inputBit(): number;
  inputEnd(): number;
  seekInput(next: number, bit: number): void;
  setInputEnd(end: number): void;
  compactInput(): void;
  outputNext(): number;
  slideOutput(): number;
  outputPosition(): number;
  openCandidate(): number;
  closeCandidates(): void;
  judge(position: number, log: number): number;
  firstNeeded(): number;
  crc32(at: number, length: number, crc: number): number;
  blockState(): number;
  headerBit(): number;
  headerBytes(): number;
  loadHeader(): number;
  run(stop: number, reportFrom: number): number;
}

/** One decoder: the functions of core/index.ts, its fixed addresses as numbers, and its memory. */
export interface Core {
  readonly wasm: WasmExports;
  readonly bytes: Uint8Array;
  readonly input: number;
  readonly inputSize: number;
  /** Address at which output ends and `slideOutput` is due. */
  readonly outputEnd: number;
  readonly header: number;
  readonly window: number;
}

const free: Core[] = [];
/** Instances kept for reuse; more than this many at once are left to the garbage collector afterwards. */
const KEPT = 4;
let compiled: WasmModule | undefined;

/** The module, for threads that are to share it: V8 optimizes it once for all of them, which takes 200 ms and 15 MB. */
export function compiledCore(): WasmModule {
  if (!compiled) {
    announceWasm();
    compiled = compileWasm(new URL('../core.wasm', import.meta.url));
  }
  return compiled;
}

/** In a thread that was given the module. */
export function shareCore(module: WasmModule): void {
  compiled = module;
}

function instantiate(): Core {
  const wasm = instantiateWasm<WasmExports>(compiledCore());
  return {
    wasm,
    bytes: new Uint8Array(wasm.memory.buffer),
    input: wasm.inputStart.value,
    inputSize: wasm.inputSize.value,
    outputEnd: wasm.outputStart.value + wasm.outputSize.value,
    header: wasm.headerStart.value,
    window: wasm.windowStart.value,
  };
}

/** A decoder in its initial state. Give it back with `releaseCore`; one that is not given back is just collected. */
export function acquireCore(): Core {
  const core = free.pop() ?? instantiate();
  core.wasm.reset();
  return core;
}

export function releaseCore(core: Core): void {
  if (free.length < KEPT) free.push(core);
}
