import { readFileSync } from 'node:fs';

/** The part of the WebAssembly interface used here; Node's own types do not have it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
};

/** Compiles a module that came with the program; the result makes instances of it. */
export function compileWasm<Exports>(file: URL): () => Exports {
  const module = new WebAssembly.Module(readFileSync(file));
  return () => new WebAssembly.Instance(module).exports as Exports;
}
