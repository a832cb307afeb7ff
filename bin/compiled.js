/**
 * Loads the bundled program together with what V8 compiled of it in an earlier run: compiling is most of what a start would do.
 * Node's own module.enableCompileCache does the same from 22.8 on, keeps one state per file whatever the command, and is not
 * there in Node 20.
 *
 * One file a command and bundle, since a command only needs the functions that it runs. It is written at the end of the first
 * short run that went well, and again when one has gone through more of the program than the one that wrote it. V8 refuses what
 * another version or other flags have made, but takes damaged bytes for code: hence the checksum. Whoever can write these files
 * is executed, so they lie in a folder that only its owner may write to.
 *
 *   offset 0   4 bytes   CRC-32 of all that follows, little-endian
 *          4   4 bytes   modules that the run had loaded
 *          8  64 bytes   identity of the source, from its first line
 *         72  …          V8's data
 */
const fs = require('node:fs');
const { createRequire } = require('node:module');
const { basename, dirname, join } = require('node:path');
const vm = require('node:vm');
const { crc32 } = require('node:zlib');

/**
 * V8 would compile the decoder anew, optimized, while it inflates a first span, and undici's parser with its first answer: 60 ms of CPU
 * time that a small read only waits for at its end. This has it wait for some three spans; and without unrolled loops that takes half of
 * 30 MB, and the result is as fast.
 */
const FLAGS = '--wasm-tiering-budget=50000000 --no-wasm-loop-unrolling';

/** CPU time after which a run keeps nothing, microseconds. */
const LONG = 1_000_000;

const HEAD = 72;
const IDENTITY_AT = 8;

/**
 * `load` loads a bundle as `require` would. `deferOptimizing` is for right before WebAssembly is compiled: V8 takes no compiled code that
 * was made under other flags, and what Node brings for its own modules is such code too. `folder`: where compiled code is kept, undefined
 * for nowhere; `command`: lower-case letters, the part of the files' name that tells what was run.
 */
exports.createLoader = ({ folder, command }) => {
  const bundles = [];
  let modules = 0;
  let hasFlags = false;

  /** Every module of a bundle asks for what it imports when it is begun, so this counts how far a run has come. */
  const counted = (require) => {
    const own = (name) => {
      modules++;
      return /^\.\/[a-z]+\.cjs$/.test(name) ? load(require.resolve(name)) : require(name);
    };
    return Object.assign(own, { resolve: require.resolve });
  };

  const load = (file) => {
    const loaded = bundles.find((bundle) => bundle.file === file);
    if (loaded) return loaded.module.exports;
    // Bundles are ASCII.
    const source = fs.readFileSync(file, 'latin1');
    const identity = source.slice(source.indexOf('//') + 2, source.indexOf('\n'));
    const kept = folder && join(folder, `${command}.${basename(file, '.cjs')}.bin`);
    const before = kept && read(kept, identity);
    const script = new vm.Script(source, { filename: file, cachedData: before?.subarray(HEAD) });
    const known = before && !script.cachedDataRejected ? before.readUInt32LE(4) : 0;
    const module = { exports: {} };
    bundles.push({ file, kept, known, script, identity, module });
    const own = createRequire(file);
    // Code that was compiled in another run has no `import` of its own: V8 forgets whose it is.
    const imported = (name) => {
      modules++;
      return import(name);
    };
    script
      .runInThisContext()
      .call(module.exports, module.exports, counted(own), module, file, dirname(file), imported);
    return module.exports;
  };

  if (folder) {
    process.on('exit', (status) => {
      if (status !== 0 || isLong() || bundles.every(({ known }) => known >= modules)) return;
      if (hasFlags && !resetFlags()) return;
      for (const { kept, script, identity } of bundles) write(kept, { script, identity, modules });
    });
  }
  return {
    load,
    deferOptimizing() {
      hasFlags = true;
      require('node:v8').setFlagsFromString(FLAGS);
    },
  };
};

/** Collecting garbage, V8 throws away what it compiled for the start and has not run since: the next start would be slower for it. */
function isLong() {
  const { user, system } = process.cpuUsage();
  return user + system > LONG;
}

/** As they were, for the code that the next start is to take. V8 tells a flag's default only in its help: 30 ms, once for a command. */
function resetFlags() {
  try {
    const help = require('node:child_process').execFileSync(process.execPath, ['--v8-options'], {
      encoding: 'latin1',
      timeout: 5000,
    });
    const [budget] = /--wasm-tiering-budget=\d+/.exec(help);
    require('node:v8').setFlagsFromString(`${budget} --wasm-loop-unrolling`);
    return true;
  } catch {
    return false;
  }
}

function read(path, identity) {
  try {
    if (!isOwn(dirname(path)) || !isOwn(path)) return undefined;
    const bytes = fs.readFileSync(path);
    const whole = bytes.length > HEAD && bytes.readUInt32LE(0) === crc32(bytes.subarray(4));
    return whole && bytes.latin1Slice(IDENTITY_AT, HEAD) === identity ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** Nobody else can change what is there. */
function isOwn(path) {
  const { uid, mode } = fs.statSync(path);
  return uid === process.getuid?.() && (mode & 0o022) === 0;
}

/** A start without it is only slower, so what fails here is nobody's trouble. */
function write(path, { script, identity, modules }) {
  const temporary = `${path}.${process.pid}`;
  try {
    const bytes = Buffer.concat([Buffer.alloc(HEAD), script.createCachedData()]);
    bytes.writeUInt32LE(modules, 4);
    bytes.latin1Write(identity, IDENTITY_AT);
    bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
    makeFolder(dirname(path));
    if (!isOwn(dirname(path))) return;
    fs.writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o600 });
    fs.renameSync(temporary, path);
  } catch {
    try {
      fs.rmSync(temporary, { force: true });
    } catch {
      // Where nobody may look there is nothing to take away.
    }
  }
}

/** As src/cache/make-folder.ts: Node's own `recursive` never returns where a parent takes nothing, as in /proc. */
function makeFolder(path) {
  try {
    fs.mkdirSync(path, 0o700);
  } catch (error) {
    if (error.code === 'EEXIST') return;
    if (error.code !== 'ENOENT' || dirname(path) === path) throw error;
    makeFolder(dirname(path));
    fs.mkdirSync(path, 0o700);
  }
}
