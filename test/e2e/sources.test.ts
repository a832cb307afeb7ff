// The same 200 random files through every place an image can live in: equal bytes. docs/registries.md lists the sources.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { withDefaults } from '../../src/build/default-options.js';
import { openImage } from '../../src/build/open-image.js';
import { resolvePath, textToByteString } from '../../src/index.js';
import { run as runTool } from '../support/docker-registry.js';
import { type Engine, startEngine } from '../support/engine.js';
import { has } from '../support/needs.js';
import { startTestRegistry, type TestRegistry } from '../support/registry.js';
import { bundled, clip, root } from '../support/run-clip.js';
import { makeCurrentDockerSave, makeOldDockerSave } from '../support/saved-archive.js';
import { noise } from '../support/test-image.js';

const tools = ['skopeo', 'tar', 'zstd'].filter((program) => !has(program));
const skip = tools.length > 0 ? `needs ${tools.join(', ')}` : false;
const layout = join(root, 'fixtures/debian-small');
const SEED = 5;

describe('the same 200 files from every source', { skip }, () => {
  let work: string;
  let engine: Engine;
  let registry: TestRegistry;
  let paths: string[];
  let wanted: string;
  const file = (name: string) => join(work, name);
  const cacheDir = () => file('cache');

  before(async () => {
    work = mkdtempSync(join(tmpdir(), 'clip-sources-'));
    const copy = (to: string) => runTool('skopeo', ['copy', '--quiet', `oci:${layout}:latest`, to]);
    await copy(`oci-archive:${file('oci.tar')}:latest`);
    await copy(`docker-archive:${file('docker.tar')}:demo:v1`);
    for (const name of ['oci', 'docker']) {
      writeFileSync(file(`${name}.tar.gz`), gzipSync(readFileSync(file(`${name}.tar`)), { level: 1 }));
      await runTool('zstd', ['-q', '-1', '-o', file(`${name}.tar.zst`), file(`${name}.tar`)]);
    }
    await makeOldDockerSave(layout, work, 'demo:v1');
    await makeCurrentDockerSave(layout, work, { tag: 'demo:v1', plain: true });
    await makeCurrentDockerSave(layout, work, { tag: 'demo:v1', plain: false });
    const exported = await clip(['export', bundled], { cacheDir: cacheDir() });
    assert.equal(exported.status, 0, exported.stderr);
    writeFileSync(file('root.tar'), exported.stdout);
    writeFileSync(file('root.tar.gz'), gzipSync(exported.stdout, { level: 1 }));
    await runTool('zstd', ['-q', '-1', '-o', file('root.tar.zst'), file('root.tar')]);
    engine = await startEngine(file('docker.sock'));
    const archive = readFileSync(file('current-save.tar'));
    engine.images.set('demo:v1', { id: `sha256:${'ab'.repeat(32)}`, archive });
    registry = await startTestRegistry();
    await registry.addLayout('demo', layout, 'v1');
    paths = await randomFiles(200);
    wanted = await digestOfFiles(bundled);
  });

  after(async () => {
    await engine?.stop();
    await registry?.stop();
    if (work) rmSync(work, { recursive: true, force: true });
  });

  async function randomFiles(count: number): Promise<string[]> {
    const listed = await clip(['ls', '-R', '--json', bundled], { cacheDir: cacheDir() });
    const files = listed.stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { path: string; type: string })
      .filter(({ type }) => type === 'file')
      .map(({ path }) => path);
    const order = noise(files.length * 4, SEED);
    const keyed = files.map((path, i) => ({ path, key: Buffer.from(order).readUInt32LE(i * 4) }));
    return keyed
      .sort((a, b) => a.key - b.key)
      .slice(0, count)
      .map(({ path }) => path);
  }

  /** SHA-256 over each path with its content, read through the library, each time with a cache of its own. */
  async function digestOfFiles(target: string, input?: string): Promise<string> {
    const own = mkdtempSync(join(work, 'own-'));
    const { DOCKER_HOST } = process.env;
    process.env.DOCKER_HOST = engine?.host ?? '';
    try {
      if (input !== undefined) {
        const indexed = await clip(['index', target], { cacheDir: own, input: readFileSync(input) });
        assert.equal(indexed.status, 0, indexed.stderr);
        return await readFiles(indexed.stdout.toString().trim(), own);
      }
      return await readFiles(target, own);
    } finally {
      if (DOCKER_HOST === undefined) delete process.env.DOCKER_HOST;
      else process.env.DOCKER_HOST = DOCKER_HOST;
    }
  }

  async function readFiles(target: string, own: string): Promise<string> {
    const image = await openImage(target, withDefaults({ cacheDir: own }));
    try {
      const hash = createHash('sha256');
      for (const path of paths) {
        const node = await resolvePath(image.index, textToByteString(path), { followLast: true });
        hash.update(path).update(await image.reader.readAll(node));
      }
      return hash.digest('hex');
    } finally {
      await image.close();
    }
  }

  const archives: [name: string, target: () => string][] = [
    ['oci-archive by skopeo', () => `oci-archive:${file('oci.tar')}:latest`],
    ['oci-archive, gzip', () => `oci-archive:${file('oci.tar.gz')}`],
    ['oci-archive, zstd', () => `oci-archive:${file('oci.tar.zst')}`],
    ['docker-archive by skopeo and podman', () => `docker-archive:${file('docker.tar')}:demo:v1`],
    ['docker-archive, gzip', () => `docker-archive:${file('docker.tar.gz')}`],
    ['docker-archive, zstd', () => `docker-archive:${file('docker.tar.zst')}:@0`],
    ['docker save before 25', () => `docker-archive:${file('old-save.tar')}:demo:v1`],
    ['docker save since 25', () => `docker-archive:${file('current-save.tar')}:demo:v1`],
    ['docker save since 25 as a layout', () => `oci-archive:${file('current-save.tar')}`],
    ['docker save from containerd’s store', () => `docker-archive:${file('containerd-save.tar')}`],
    ['tar', () => `tar:${file('root.tar')}`],
    ['tar, gzip', () => `tar:${file('root.tar.gz')}`],
    ['tar, zstd', () => `tar:${file('root.tar.zst')}`],
    ['docker-daemon', () => 'docker-daemon:demo:v1'],
    ['registry', () => `${registry.host}/demo:v1`],
  ];
  for (const [name, target] of archives) {
    test(name, async () => assert.equal(await digestOfFiles(target()), wanted));
  }

  const piped: [target: string, input: string][] = [
    ['oci-archive:-', 'oci.tar'],
    ['oci-archive:-', 'oci.tar.gz'],
    ['docker-archive:-', 'docker.tar'],
    ['docker-archive:-', 'docker.tar.zst'],
    ['tar:-', 'root.tar'],
    ['tar:-', 'root.tar.gz'],
  ];
  for (const [target, input] of piped) {
    test(`${target} < ${input}, then the index alone`, async () =>
      assert.equal(await digestOfFiles(target, file(input)), wanted));
  }

  test('the index of an archive is the same wherever the archive lies, and reads from it later', async () => {
    const indexes: Buffer[] = [];
    for (const [i, name] of ['docker.tar', 'docker.tar.gz'].entries()) {
      const out = file(`same-${i}.clip`);
      const own = mkdtempSync(join(work, 'own-'));
      const built = await clip(['index', `docker-archive:${file(name)}`, '-o', out, '--json'], {
        cacheDir: own,
      });
      assert.equal(built.status, 0, built.stderr);
      indexes.push(Buffer.from(JSON.parse(built.stdout.toString()).identity));
      const cat = await clip(['cat', out, '/etc/debian_version'], {
        cacheDir: mkdtempSync(join(work, 'own-')),
      });
      assert.equal(cat.status, 0, cat.stderr);
      assert.match(cat.stdout.toString(), /^[0-9.]+\n$/);
    }
    assert.deepEqual(indexes[1], indexes[0]);
  });

  test('an engine is asked for an image once; its index needs the engine only when the copy is gone', async () => {
    const own = mkdtempSync(join(work, 'own-'));
    const env = { DOCKER_HOST: engine.host };
    engine.log.length = 0;
    const out = file('engine.clip');
    const first = await clip(['index', 'docker-daemon:demo:v1', '-o', out], { cacheDir: own, env });
    assert.equal(first.status, 0, first.stderr);
    await clip(['ls', 'docker-daemon:demo:v1'], { cacheDir: own, env });
    assert.equal(engine.log.filter((path) => path.endsWith('/get')).length, 1);
    const away = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
    const cat = (more: NodeJS.ProcessEnv, cache: string) =>
      clip(['cat', out, '/etc/debian_version'], { cacheDir: cache, env: more });
    assert.equal((await cat(away, own)).status, 0);
    const other = mkdtempSync(join(work, 'own-'));
    assert.equal((await cat(env, other)).status, 0);
    const copies = readdirSync(join(own, 'spool/sha256'), { recursive: true, encoding: 'utf8' });
    const copy = join(own, 'spool/sha256', copies.find((name) => name.includes('/')) ?? '');
    rmSync(join(own, 'spans'), { recursive: true });
    const whole = readFileSync(copy);
    writeFileSync(copy, Buffer.from(whole).fill(0xa5, 0, 512));
    const mended = await cat(env, own);
    assert.equal(mended.status, 0, mended.stderr);
    assert.match(mended.stderr, /copy of docker-daemon:.* was damaged: it is made again/);
    assert.deepEqual(readFileSync(copy), whole);
    const gone = await cat(away, mkdtempSync(join(work, 'own-')));
    assert.equal(gone.status, 5);
    assert.match(gone.stderr, /no engine listens at \/nonexistent/);
    engine.broken = { after: 100_000, how: 'cut' };
    const cut = await clip(['index', 'docker-daemon:demo:v1'], {
      cacheDir: mkdtempSync(join(work, 'own-')),
      env,
    });
    engine.broken = undefined;
    assert.equal(cut.status, 5, cut.stderr);
    const unknown = await clip(['index', 'docker-daemon:other:v1'], { cacheDir: own, env });
    assert.equal(unknown.status, 3);
    assert.match(unknown.stderr, /No such image: other:v1/);
  });

  test('an export that ends too early is not kept, and one that stalls is not waited for', async () => {
    const own = mkdtempSync(join(work, 'own-'));
    const list = (...args: string[]) =>
      clip(['ls', 'docker-daemon:demo:v1', ...args], { cacheDir: own, env: { DOCKER_HOST: engine.host } });
    engine.broken = { after: 100_000, how: 'end' };
    const ended = await list();
    engine.broken = { after: 100_000, how: 'stall' };
    const stalled = await list('--idle-timeout', '300ms', '--tries', '1');
    engine.broken = undefined;
    assert.equal(ended.status, 6, ended.stderr);
    assert.match(ended.stderr, /CORRUPT_TAR/);
    assert.equal(stalled.status, 5, stalled.stderr);
    assert.match(stalled.stderr, /TIMEOUT/);
    const well = await list();
    assert.equal(well.status, 0, well.stderr);
  });

  test('a FIFO is no archive, and is not waited for', {
    skip: has('mkfifo') ? false : 'needs mkfifo',
  }, async () => {
    const fifo = file('fifo');
    execFileSync('mkfifo', [fifo]);
    for (const transport of ['tar', 'oci-archive', 'docker-archive']) {
      const refused = await clip(['ls', `${transport}:${fifo}`], { cacheDir: cacheDir() });
      assert.equal(refused.status, 1, refused.stderr);
      assert.match(refused.stderr, /no regular file \(IO\)\nhint: .* - in place of/);
    }
  });

  test('an archive of the other kind, and what is none, are told as such', async () => {
    const other = await clip(['ls', `oci-archive:${file('docker.tar')}`], { cacheDir: cacheDir() });
    assert.match(other.stderr, /hint: write docker-archive:/);
    const none = await clip(['ls', 'docker-archive:/etc/passwd'], { cacheDir: cacheDir() });
    assert.equal(none.status, 6);
    assert.match(none.stderr, /"\/etc\/passwd" is no whole tar/);
    const name = await clip(['ls', `docker-archive:${file('docker.tar')}:A`], { cacheDir: cacheDir() });
    assert.equal(name.status, 2);
    assert.match(name.stderr, /invalid image reference "docker-archive:.*docker\.tar:A": in "A": /);
  });

  test('spooling: not with --no-cache, not above the quota, nothing half-written, a word when it is gone', async () => {
    const own = mkdtempSync(join(work, 'own-'));
    const index = (args: string[], input = file('docker.tar')) =>
      clip(['index', 'docker-archive:-', ...args], { cacheDir: own, input: readFileSync(input) });
    for (const args of [['--no-cache'], ['--disk-cache', '0']]) {
      const refused = await index(args);
      assert.equal(refused.status, 2);
      assert.match(refused.stderr, /hint: .*--no-cache/);
    }
    const tooLarge = await index(['--disk-cache', '1M']);
    assert.equal(tooLarge.status, 1);
    assert.match(tooLarge.stderr, /\(LIMIT\)\nhint: .*--disk-cache/);
    writeFileSync(file('torn.tar.gz'), readFileSync(file('docker.tar.gz')).subarray(0, 500_000));
    const torn = await index([], file('torn.tar.gz'));
    assert.equal(torn.status, 6, torn.stderr);
    assert.deepEqual(readdirSync(join(own, 'spool/tmp')), []);
    assert.equal(readdirSync(join(own, 'spool')).includes('sha256'), false);
    const built = await index(['-o', file('piped.clip')]);
    assert.equal(built.status, 0, built.stderr);
    rmSync(join(own, 'spool'), { recursive: true });
    const lost = await clip(['cat', file('piped.clip'), '/etc/debian_version'], { cacheDir: own });
    assert.equal(lost.status, 3);
    assert.match(lost.stderr, /no longer holds the archive.*\nhint: .*--source/);
    const again = await clip(
      ['cat', file('piped.clip'), '/etc/debian_version', '--source', 'docker-archive:-'],
      {
        cacheDir: own,
        input: readFileSync(file('docker.tar')),
      },
    );
    assert.equal(again.status, 0, again.stderr);
  });

  test('Ctrl-C ends the wait for a silent pipe, and leaves nothing', async () => {
    const own = mkdtempSync(join(work, 'own-'));
    const env = { ...process.env, CLIP_CACHE_DIR: own };
    const child = spawn(process.execPath, [join(root, 'bin/clip.js'), 'index', 'docker-archive:-'], {
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin.on('error', () => {});
    child.stdin.write(readFileSync(file('docker.tar')).subarray(0, 1 << 20));
    const exited = new Promise<number | null>((resolve) => child.once('exit', (status) => resolve(status)));
    const spooling = join(own, 'spool/tmp');
    const deadline = Date.now() + 10_000;
    while (!(existsSync(spooling) && readdirSync(spooling).length > 0) && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const start = performance.now();
    child.kill('SIGINT');
    assert.equal(await exited, 130);
    assert.ok(performance.now() - start < 2000);
    assert.deepEqual(readdirSync(spooling), []);
  });

  test('the spool keeps what was used last', async () => {
    const own = mkdtempSync(join(work, 'own-'));
    const size = readFileSync(file('docker.tar')).length;
    const quota = ['--disk-cache', String(Math.round(size * 1.6))];
    for (const name of ['docker.tar', 'old-save.tar']) {
      const built = await clip(['index', 'docker-archive:-', ...quota], {
        cacheDir: own,
        input: readFileSync(file(name)),
      });
      assert.equal(built.status, 0, built.stderr);
    }
    const left = readdirSync(join(own, 'spool/sha256'), { recursive: true, encoding: 'utf8' });
    const files = left.filter((name) => name.includes('/'));
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file('old-save.tar'))) hash.update(chunk as Buffer);
    assert.deepEqual(
      files.map((name) => name.replace('/', '')),
      [hash.digest('hex')],
    );
  });
});
