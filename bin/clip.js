#!/usr/bin/env node
// Plain JavaScript that an old Node can parse too: the version is checked before anything newer is loaded.
const [major, minor, patch] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && (minor < 18 || (minor === 18 && patch < 1)))) {
  process.stderr.write(
    `clip: Node ${process.versions.node} is too old (NODE_VERSION)\nhint: clip needs Node 20.18.1 or newer\n`,
  );
  process.exit(1);
}
import('../dist/src/cli/main.js').then((program) => program.main(process.argv));
