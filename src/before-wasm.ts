/**
 * Word that WebAssembly is about to be compiled, for the program, which has V8 optimize it later (bin/compiled.js): the decoder, and undici's
 * parser.
 */
let hook: (() => void) | undefined;

/** `called` is called once, before the first of them is compiled, here or in a thread. */
export function beforeWasm(called: () => void): void {
  hook = called;
}

export function announceWasm(): void {
  const called = hook;
  hook = undefined;
  called?.();
}
