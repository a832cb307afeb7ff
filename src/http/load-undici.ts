import { createRequire } from 'node:module';
import { announceWasm } from '../before-wasm.js';

type Undici = typeof import('undici');

const require = createRequire(import.meta.url);

/**
 * The pool, and before it what it is made of: 5 to 10 ms each, where all of it at once keeps the event loop for 20, and for 40 beside
 * other work. The program has all of it in one file (scripts/bundle.js).
 */
const PARTS: readonly (() => unknown)[] = [
  () => require('undici/lib/core/util.js'),
  () => require('undici/lib/dispatcher/client-h2.js'),
  () => require('undici/lib/dispatcher/pool.js'),
];

/**
 * The pool alone loads in a quarter of the time of the whole library, and only when a request is made:
 * `node -e "require('undici')"` against `node -e "require('undici/lib/dispatcher/pool.js')"`. Each part has a turn of the event loop.
 */
export async function loadPool(): Promise<Undici['Pool']> {
  let loaded: unknown;
  try {
    for (const load of PARTS) {
      await new Promise(setImmediate);
      loaded = load();
    }
  } catch {
    return loadUndici().Pool;
  }
  announceWasm();
  return loaded as Undici['Pool'];
}

/** All of it, where the variables name a proxy: a ProxyAgent calls what the whole library adds to its pools. */
export function loadUndici(): Undici {
  const all = require('undici') as Undici;
  announceWasm();
  return all;
}
