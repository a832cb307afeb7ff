// Makes the program that bin/clip.js runs out of the compiled modules: one CommonJS file loads in half the time of some 120 ES
// modules, and what a command does not use is only skimmed over (docs/performance.md has the numbers). The library keeps its
// modules. What most starts need of packages is taken in, with their licences beside; undici's connection pool has a file of its own,
// which a warm read does not load. Workers and the wasm module are still found in dist/src.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const out = join(dist, 'bin');
/** Packages that are taken in: commander parses every command line, smol-toml what Podman and skopeo have in /etc on many machines. */
const INSIDE = ['commander', 'smol-toml'];
/** The beginning of an import of another package, as a module's text has it. */
const OUTSIDE = new RegExp(`\\bimport\\((?!'(?:\\.|${INSIDE.join('|')}))`, 'g');
const POOL = 'undici/lib/dispatcher/pool.js';
/** The pool's own parts, which the library loads one by one before it. */
const PARTS = /^undici\/lib\//;

/**
 * What the modules ask of `import.meta` they get as if they still lay where tsc put them; bin/compiled.js gives `__import`. The URLs of
 * files are for Node's own calls, which take paths as well: the first URL would cost half a millisecond. Of a module of Node's that is
 * imported as a whole esbuild would copy every name, a tenth of a millisecond for each importer.
 */
const moduleUrls = {
  name: 'module-urls',
  setup(builder) {
    builder.onLoad({ filter: /[\\/]dist[\\/]src[\\/].*\.js$/ }, async ({ path }) => {
      const text = await promises.readFile(path, 'utf8');
      const from = relative(out, dirname(path));
      const pathOf = (_, name) => `__file(${JSON.stringify(join(from, name).replaceAll('\\', '/'))})`;
      const contents = text
        .replaceAll(/^import (?:\* as )?(\w+) from '(node:[^']+)';$/gm, "const $1 = require('$2');")
        .replaceAll('const require = createRequire(import.meta.url);', '')
        .replaceAll('createRequire(import.meta.url)', 'require')
        .replaceAll('import.meta.resolve(', '__resolve(')
        .replaceAll(/\bimport\('(node:[^']+)'\)/g, "Promise.resolve(require('$1'))")
        .replaceAll(OUTSIDE, '__import(')
        .replaceAll(/\bfileURLToPath\(new URL\('([^']+)', import\.meta\.url\)\)/g, pathOf)
        .replaceAll(/\bnew URL\('([^']+)', import\.meta\.url\)/g, pathOf);
      if (contents.includes('import.meta')) throw new Error(`${path} asks for more of import.meta`);
      return { contents, loader: 'js' };
    });
  },
};

/** node:fs/promises costs 2 ms to load, and a warm read calls nothing of it. */
const lazyPromises = {
  name: 'lazy-promises',
  setup(builder) {
    const name = 'node:fs/promises';
    builder.onResolve({ filter: new RegExp(`^${name}$`) }, ({ namespace }) =>
      namespace === 'lazy' ? { path: name, external: true } : { path: name, namespace: 'lazy' },
    );
    builder.onLoad({ filter: /./, namespace: 'lazy' }, () => ({
      contents: Object.keys(promises)
        .filter((key) => typeof promises[key] === 'function')
        .map((key) => `export const ${key} = (...args) => require('${name}').${key}(...args);`)
        .join('\n'),
    }));
  },
};

/** All other packages stay outside. */
const packages = {
  name: 'packages',
  setup(builder) {
    builder.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      if (kind === 'entry-point' || path.startsWith('node:')) return undefined;
      if (PARTS.test(path)) return { path: './pool.cjs', external: true };
      return INSIDE.includes(path) ? undefined : { path, external: true };
    });
  },
};

/** commander starts programs for subcommands of another kind than ours; node:child_process and node:net cost 1 ms to load. */
const lazyChildProcess = {
  name: 'lazy-child-process',
  setup(builder) {
    builder.onLoad({ filter: /commander[\\/]lib[\\/]command\.js$/ }, async ({ path }) => {
      const text = await promises.readFile(path, 'utf8');
      const eager = "const childProcess = require('node:child_process')";
      if (!text.includes(eager)) throw new Error('commander loads node:child_process in another way now');
      const lazy =
        "const childProcess = { spawn: (...args) => require('node:child_process').spawn(...args) }";
      return { contents: text.replace(eager, lazy) };
    });
  },
};

/** undici asserts all the time and fails never: node:assert, 1 ms, is loaded by the first that does. */
const lazyAssert = {
  name: 'lazy-assert',
  setup(builder) {
    builder.onResolve({ filter: /^node:assert$/ }, ({ path, namespace }) =>
      namespace === 'lazy' ? { path, external: true } : { path, namespace: 'lazy' },
    );
    builder.onLoad({ filter: /./, namespace: 'lazy' }, () => ({
      contents:
        "module.exports = (holds, message) => { if (!holds) require('node:assert')(holds, message); };",
    }));
  },
};

/**
 * undici takes from node:http, 2 ms, a default for a limit that src/http/link.ts always gives, and the class of messages that nobody here
 * sends on.
 */
const noHttp = {
  name: 'no-http',
  setup(builder) {
    builder.onResolve({ filter: /^node:http$/ }, ({ path }) => ({ path, namespace: 'none' }));
    builder.onLoad({ filter: /./, namespace: 'none' }, () => ({
      contents: 'module.exports = { maxHeaderSize: 1 };',
    }));
  },
};

/** HTTP/2 is not asked for, and node:http2 costs 3 ms to load. */
const lazyHttp2 = {
  name: 'lazy-http2',
  setup(builder) {
    builder.onLoad({ filter: /undici[\\/]lib[\\/]dispatcher[\\/]client\.js$/ }, async ({ path }) => {
      const text = await promises.readFile(path, 'utf8');
      const eager = "const connectH2 = require('./client-h2.js')";
      if (!text.includes(eager)) throw new Error('undici loads HTTP/2 in another way now');
      return {
        contents: text.replace(eager, "const connectH2 = (...args) => require('./client-h2.js')(...args)"),
      };
    });
  },
};

const common = {
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  // Names are kept: a stack trace of --log-level debug must say something.
  minifyWhitespace: true,
  minifySyntax: true,
  metafile: true,
  preserveSymlinks: true,
  logLevel: 'warning',
  absWorkingDir: root,
};
/** Bundles one file, with a first line that tells one content from another. */
async function bundle(name, options) {
  const { outputFiles, metafile } = await build({ ...common, ...options, write: false });
  const [{ text: unicode }] = outputFiles;
  // The loader reads ASCII. esbuild escapes what is not, but for regular expressions.
  const text = unicode.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  mkdirSync(out, { recursive: true });
  // As bin/compiled.js takes it: a function, so that nothing has to be put around the text of every start.
  const identity = createHash('sha256').update(text).digest('hex');
  const wrapped = `(function(exports,require,module,__filename,__dirname,__import){//${identity}\n${text}})\n`;
  writeFileSync(join(out, name), wrapped);
  return Object.keys(metafile.inputs);
}

const inputs = [
  ...(await bundle('clip.cjs', {
    entryPoints: [join(dist, 'src/cli/main.js')],
    plugins: [moduleUrls, lazyPromises, packages, lazyChildProcess],
    banner: {
      js: 'const __file=(name)=>require("node:path").join(__dirname,name),__resolve=(name)=>require("node:url").pathToFileURL(require.resolve(name)).href;',
    },
  })),
  ...(await bundle('pool.cjs', {
    entryPoints: [join(root, 'node_modules', POOL)],
    plugins: [lazyHttp2, lazyAssert, noHttp],
  })),
];
const names = new Set(inputs.map((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]));
names.delete(undefined);
const notices = [...names].sort().map((name) => {
  const folder = join(root, 'node_modules', name);
  const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt'].map((it) => join(folder, it)).find(existsSync);
  if (file === undefined) throw new Error(`${name} has no licence to ship`);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `${name} ${version}\n\n${readFileSync(file, 'utf8').trim()}\n`;
});
writeFileSync(
  join(out, 'THIRD-PARTY-LICENSES.txt'),
  `clip.cjs and pool.cjs contain code of these packages.\n\n${notices.join(`\n${'-'.repeat(80)}\n\n`)}`,
);
