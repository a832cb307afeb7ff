// bin/compiled.js: what V8 compiled is kept for the next start, and never believed when it is damaged or somebody else's.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bundled, clip, root, run, tempDir } from '../support/run-clip.js';

/** A home of its own, with compiled code kept in it. */
async function setUp(t: TestContext) {
  const home = await tempDir(t);
  const folder = join(home, '.cache/clip/compiled', `${process.version}-${process.arch}`);
  async function cat(args: readonly string[] = ['cat', bundled, '/etc/hostname']): Promise<void> {
    const { status, stdout, stderr } = await clip(args, {
      cacheDir: home,
      env: { NODE_DISABLE_COMPILE_CACHE: '', XDG_CACHE_HOME: '' },
    });
    assert.equal(status, 0, stderr);
    assert.equal(stderr, '');
    assert.equal(stdout.toString(), 'clip-fixture\n');
  }
  const kept = (): string[] => (fs.existsSync(folder) ? fs.readdirSync(folder).sort() : []);
  return { home, folder, cat, kept, file: join(folder, 'cat.clip.bin') };
}

test('a command leaves what was compiled for it, once; nobody else can write there', async (t) => {
  const { folder, file, cat, kept } = await setUp(t);
  await cat();
  assert.deepEqual(kept(), ['cat.clip.bin']);
  assert.equal(fs.statSync(folder).mode & 0o7777, 0o700);
  assert.equal(fs.statSync(file).mode & 0o7777, 0o600);
  // A first run builds the index too; the second is known by heart.
  await cat();
  const { mtimeMs, ino } = fs.statSync(file);
  await cat();
  assert.deepEqual([fs.statSync(file).mtimeMs, fs.statSync(file).ino], [mtimeMs, ino]);
});

test('a run that inflates, and has V8 go easy on the decoder, leaves what the next one takes', async (t) => {
  const { file, cat } = await setUp(t);
  const args = ['cat', '--no-cache', bundled, '/etc/hostname'];
  await cat(args);
  await cat(args);
  const { mtimeMs, ino } = fs.statSync(file);
  await cat(args);
  assert.deepEqual([fs.statSync(file).mtimeMs, fs.statSync(file).ino], [mtimeMs, ino]);
});

test('what is damaged, cut off, empty or of another program is not used, and replaced', async (t) => {
  const { file, cat } = await setUp(t);
  await cat();
  const whole = fs.readFileSync(file);
  const flipped = Buffer.from(whole);
  flipped[whole.length >> 1]! ^= 0x10;
  const other = Buffer.from(whole);
  other[8]! ^= 1;
  for (const bytes of [flipped, whole.subarray(0, whole.length >> 1), Buffer.alloc(0), other]) {
    fs.writeFileSync(file, bytes);
    await cat();
    assert.ok(fs.readFileSync(file).length > bytes.length / 2);
    assert.notDeepEqual(fs.readFileSync(file), bytes);
  }
});

test('a folder or a file that others may write to is neither read nor written', async (t) => {
  const { folder, file, cat } = await setUp(t);
  await cat();
  for (const path of [folder, file]) {
    const mode = fs.statSync(path).mode & 0o7777;
    fs.writeFileSync(file, 'left alone');
    fs.chmodSync(path, 0o777);
    await cat();
    if (path === folder) assert.equal(fs.readFileSync(file, 'utf8'), 'left alone');
    fs.chmodSync(path, mode);
  }
});

test('NODE_DISABLE_COMPILE_CACHE, a command that fails, and a home that takes nothing: nothing is kept', async (t) => {
  const { home, kept } = await setUp(t);
  const env = { XDG_CACHE_HOME: '' };
  await clip(['cat', bundled, '/etc/hostname'], { cacheDir: home, env });
  assert.deepEqual(kept(), []);
  const failing = await clip(['cat', bundled, '/nope'], {
    cacheDir: home,
    env: { ...env, NODE_DISABLE_COMPILE_CACHE: '' },
  });
  assert.equal(failing.status, 3);
  assert.deepEqual(kept(), []);
  for (const HOME of ['/proc/nowhere', join(root, 'package.json')]) {
    const nowhere = await clip(['--version'], {
      cacheDir: home,
      env: { ...env, HOME, NODE_DISABLE_COMPILE_CACHE: '' },
    });
    assert.equal(nowhere.status, 0, nowhere.stderr);
    assert.equal(nowhere.stderr, '');
  }
});

test('a run that goes further than the one before is kept in its place', async (t) => {
  const folder = await tempDir(t);
  fs.chmodSync(folder, 0o700);
  const source = join(await tempDir(t), 'program.cjs');
  const text = `module.exports = () => {
    for (const name of process.env.MODULES.split(' ')) require(name);
    while (process.cpuUsage().user < Number(process.env.MICROSECONDS));
  };`;
  const identity = 'a'.repeat(64);
  fs.writeFileSync(
    source,
    `(function(exports,require,module,__filename,__dirname,__import){//${identity}\n${text}})\n`,
  );
  const script = join(await tempDir(t), 'main.cjs');
  fs.writeFileSync(
    script,
    `const { createLoader } = require(${JSON.stringify(join(root, 'bin/compiled.js'))});
     createLoader({ folder: ${JSON.stringify(folder)}, command: 'x' }).load(${JSON.stringify(source)})();`,
  );
  const file = join(folder, 'x.program.bin');
  const modules = async (names: string, microseconds = 0): Promise<number> => {
    const { status, stderr } = await run(process.execPath, [script], {
      env: { ...process.env, MODULES: names, MICROSECONDS: String(microseconds) },
    });
    assert.equal(status, 0, stderr);
    return fs.readFileSync(file).readUInt32LE(4);
  };
  assert.equal(await modules('fs'), 1);
  assert.equal(await modules('fs os'), 2);
  assert.equal(await modules('fs'), 2);
  // V8 has thrown away by then what it compiled for the start.
  assert.equal(await modules('fs os path', 1_100_000), 2);
});
