#!/usr/bin/env node
// Plain JavaScript that an old Node can parse too: the version is checked before anything newer is loaded.
const [major, minor, patch] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && (minor < 18 || (minor === 18 && patch < 1)))) {
  process.stderr.write(
    `clip: Node ${process.versions.node} is too old (NODE_VERSION)\nhint: clip needs Node 20.18.1 or newer\n`,
  );
  process.exit(1);
}
const { createLoader } = require('./compiled.js');
const { load, deferOptimizing } = createLoader({
  folder: compiledFolder(),
  command: commandOf(process.argv[2]),
});
load(require.resolve('../dist/bin/clip.cjs')).main(process.argv, deferOptimizing);

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
