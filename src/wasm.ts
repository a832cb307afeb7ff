import { readFileSync } from 'node:fs';

/** A compiled module. A thread that is given it shares what V8 makes of it, then and later. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: 'WebAssembly.Module';
}

/** The part of the WebAssembly interface used here; Node's own types do not have it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => WasmModule;
  Instance: new (module: WasmModule, imports?: object) => { exports: unknown };
};

/** Compiles a module that came with the program. */
export function compileWasm(file: URL): WasmModule {
  return new WebAssembly.Module(readFileSync(file));
}

/** What the module exports. */
export function instantiateWasm<Exports>(module: WasmModule, imports?: object): Exports {
  return new WebAssembly.Instance(module, imports).exports as Exports;
}
