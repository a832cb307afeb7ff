#!/usr/bin/env node
// Plain JavaScript that an old Node can parse too: the version is checked before anything newer is loaded.
const [major, minor, patch] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && (minor < 18 || (minor === 18 && patch < 1)))) {
  process.stderr.write(
    `clip: Node ${process.versions.node} is too old (NODE_VERSION)\nhint: clip needs Node 20.18.1 or newer\n`,
  );
  process.exit(1);
}
// V8 would compile the decoder anew, optimized, while it inflates a first span: 60 ms of CPU time that a small read only waits for at
// its end. This has it wait for some three spans. Without unrolled loops that takes half of 30 MB, and the result is as fast. Here,
// since V8 takes no compiled code that was made under other flags.
require('node:v8').setFlagsFromString('--wasm-tiering-budget=50000000 --no-wasm-loop-unrolling');
const { createLoader } = require('./compiled.js');
const load = createLoader({ folder: compiledFolder(), command: commandOf(process.argv[2]) });
load(require.resolve('../dist/bin/clip.cjs')).main(process.argv);

/** In the user's own cache, whatever --cache-dir says: what lies there is executed. */
function compiledFolder() {
  const { HOME, XDG_CACHE_HOME, NODE_DISABLE_COMPILE_CACHE } = process.env;
  const base = isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : `${HOME}/.cache`;
  if (NODE_DISABLE_COMPILE_CACHE || !isAbsolute(base)) return undefined;
  return `${base}/clip/compiled/${process.version}-${process.arch}`;
}

function isAbsolute(path) {
  return path !== undefined && path[0] === '/';
}

function commandOf(word) {
  return /^[a-z]{1,16}$/.test(word) ? word : 'clip';
}
