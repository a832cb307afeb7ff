/**
 * Coverage of the DEFLATE core: from `hookCore` on, the core that src/inflate/gzip/core.ts compiles is an instrumented copy of the
 * one that ships. Must be called before the first inflate of the process.
 */
import { instrumentWasm } from './instrument-wasm.js';

interface Exports {
  memory: { buffer: ArrayBuffer };
}

interface Wasm {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports?: object) => { exports: Exports };
}

export interface WasmCoverage {
  readonly edges: number;
  /** Counters raised since the last call, with how often as one of 8 classes: `edge * 8 + class`. Sets them back. */
  take(): number[];
}

/** A counter's class, in the manner of AFL: 1, 2, 3, 4–7, 8–15, 16–31, 32–127, more. */
function classOf(count: number): number {
  if (count < 4) return count - 1;
  if (count < 8) return 3;
  if (count < 16) return 4;
  if (count < 32) return 5;
  return count < 128 ? 6 : 7;
}

let hooked: WasmCoverage | undefined;

export function hookCore(): WasmCoverage {
  hooked ??= install();
  return hooked;
}

function install(): WasmCoverage {
  const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
  const { Module, Instance } = wasm;
  const ours = new WeakSet<object>();
  const memories: Uint8Array[] = [];
  let edges = 0;
  let counters = 0;
  wasm.Module = class extends Module {
    constructor(bytes: Uint8Array) {
      const isCore = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('loadHeader');
      const made = isCore ? instrumentWasm(bytes) : undefined;
      super(made?.bytes ?? bytes);
      if (made === undefined) return;
      ({ edges, counters } = made);
      ours.add(this);
    }
  };
  wasm.Instance = class extends Instance {
    constructor(module: object, imports?: object) {
      super(module, imports);
      if (ours.has(module)) memories.push(new Uint8Array(this.exports.memory.buffer, counters, edges));
    }
  };
  return {
    get edges() {
      return edges;
    },
    take() {
      const found: number[] = [];
      for (const memory of memories) {
        for (let edge = 0; edge < memory.length; edge++) {
          const count = memory[edge]!;
          if (count !== 0) found.push(edge * 8 + classOf(count));
        }
        memory.fill(0);
      }
      return found;
    },
  };
}
