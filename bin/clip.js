#!/usr/bin/env node
// Plain JavaScript that an old Node can parse too: the version is checked before anything newer is loaded.
const [major, minor, patch] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && (minor < 18 || (minor === 18 && patch < 1)))) {
  process.stderr.write(
    `clip: Node ${process.versions.node} is too old (NODE_VERSION)\nhint: clip needs Node 20.18.1 or newer\n`,
  );
  process.exit(1);
}
keepCompiled();
require('../dist/bin/clip.cjs').main(process.argv);

/** From Node 22.8 on, compiled code is kept between runs; in the user's own folder, for what lies there is executed. */
function keepCompiled() {
  // biome-ignore lint/style/useNodejsImportProtocol: a Node that is too old for `node:` must get as far as being told so
  const { enableCompileCache } = require('module');
  if (!enableCompileCache) return;
  const { HOME, XDG_CACHE_HOME } = process.env;
  const base = isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : `${HOME}/.cache`;
  if (isAbsolute(base)) enableCompileCache(`${base}/clip/compiled`);
}

function isAbsolute(path) {
  return path !== undefined && path[0] === '/';
}
