// --keep-token: what one process was given, the next one uses; and nobody else.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';
import { parseReference } from '../../src/reference/parse-reference.js';
import type { Credentials } from '../../src/source/credentials/credentials.js';
import { createTokenKeeper, type TokenUse } from '../../src/source/credentials/kept-tokens.js';
import { openRegistry } from '../../src/source/registry/registry-source.js';
import { startTestRegistry } from '../support/registry.js';
import { clip, tempDir } from '../support/run-clip.js';
import { addTestImage, makeTestImage, noise } from '../support/test-image.js';

const USER = { username: 'alice', password: 'secret word' };
const LOGIN: Credentials = { kind: 'password', ...USER };
const USE: TokenUse = { registry: 'r.example', repository: 'a/b', actions: 'pull', credentials: LOGIN };

async function setUp(t: TestContext, life?: number) {
  const runtime = await tempDir(t);
  const registry = await startTestRegistry({
    auth: { kind: 'token', ...USER, ...(life === undefined ? {} : { expiresIn: life }) },
  });
  t.after(() => registry.stop());
  addTestImage(registry, 'team/app', 'v', makeTestImage([noise(1000)]));

  interface Process {
    login?: Credentials;
    keepToken?: boolean;
  }

  function open({ login = LOGIN, keepToken = true }: Process = {}) {
    const environment = { XDG_RUNTIME_DIR: runtime };
    return openRegistry(parseReference(`${registry.host}/team/app:v`), {
      connection: { ...DEFAULT_CONNECTION, retryDelay: 5, keepToken, environment },
      findCredentials: async () => login,
    });
  }

  /** What one process does; answers with the requests that it took. */
  async function read(options: Process = {}): Promise<string[]> {
    registry.log.length = 0;
    const source = open(options);
    try {
      await source.manifest(undefined);
    } catch {
      // The log tells.
    }
    await source.close();
    return registry.log.map(({ kind, status }) => `${kind} ${status}`);
  }
  return { registry, open, read, folder: join(runtime, 'clip-tokens') };
}

test('where the runtime folder is none, nothing is kept and nothing fails', async (t) => {
  const file = join(await tempDir(t), 'file');
  fs.writeFileSync(file, '');
  const keeper = createTokenKeeper({ XDG_RUNTIME_DIR: file });
  keeper.keep(USE, { value: 'token', expires: Date.now() + 60_000 });
  assert.equal(keeper.recall(USE), undefined);
});

const FRESH = ['manifest 401', 'token 200', 'manifest 200'];

test('a process that starts again asks for no new token; without the flag none is kept or used', async (t) => {
  const { registry, read, folder } = await setUp(t);
  assert.deepEqual(await read({ keepToken: false }), FRESH);
  assert.ok(!fs.existsSync(folder));
  assert.deepEqual(await read(), FRESH);
  assert.deepEqual(await read(), ['manifest 200']);
  assert.deepEqual(await read({ keepToken: false }), FRESH);
  assert.equal(registry.auth.issued, 3);
  assert.equal(fs.statSync(folder).mode & 0o7777, 0o700);
  const [name] = fs.readdirSync(folder);
  assert.equal(fs.statSync(join(folder, name!)).mode & 0o7777, 0o600);
  assert.doesNotMatch(`${name} ${fs.readFileSync(join(folder, name!), 'utf8')}`, /alice|secret word/);
});

test('a token that lives for days is kept for one', async (t) => {
  const { read } = await setUp(t, 2 * 24 * 60 * 60);
  assert.deepEqual(await read(), FRESH);
  assert.deepEqual(await read(), ['manifest 200']);
});

test('another login never uses it', async (t) => {
  const { read } = await setUp(t);
  await read();
  assert.deepEqual(await read({ login: { ...USER, kind: 'password', password: 'wrong' } }), [
    'manifest 401',
    'token 401',
  ]);
});

test('one that is refused, has expired, or is damaged is fetched anew and replaced', async (t) => {
  const { registry, read, folder } = await setUp(t);
  await read();
  registry.auth.revoke();
  assert.deepEqual(await read(), FRESH);
  assert.deepEqual(await read(), ['manifest 200']);
  const file = join(folder, fs.readdirSync(folder)[0]!);
  const { value } = JSON.parse(fs.readFileSync(file, 'utf8'));
  for (const text of [
    JSON.stringify({ value, expires: Date.now() - 1 }),
    JSON.stringify({ value, expires: Date.now() + 1e9 }),
    JSON.stringify({ value: `${value}\r\nx: y`, expires: Date.now() + 60_000 }),
    '{"value":',
    '',
    'x'.repeat(2 << 20),
  ]) {
    fs.writeFileSync(file, text);
    assert.deepEqual(await read(), FRESH, text.slice(0, 80));
    assert.deepEqual(await read(), ['manifest 200']);
  }
});

test('a kept token that runs out in mid-run, before the registry has asked for any, is not sent', async (t) => {
  const { registry, read, open } = await setUp(t, 2);
  await read();
  registry.log.length = 0;
  const source = open();
  await source.manifest(undefined);
  await new Promise((resolve) => setTimeout(resolve, 2100));
  await source.manifest(undefined);
  await source.close();
  assert.deepEqual(
    registry.log.map(({ kind, status }) => `${kind} ${status}`),
    ['manifest 200', ...FRESH],
  );
});

test('a place that others can look into, and a link, are neither read nor written', async (t) => {
  const { read, folder } = await setUp(t);
  await read();
  const file = join(folder, fs.readdirSync(folder)[0]!);
  fs.chmodSync(file, 0o644);
  assert.deepEqual(await read(), FRESH);
  fs.chmodSync(folder, 0o755);
  assert.deepEqual(await read(), FRESH);
  fs.chmodSync(folder, 0o700);
  const elsewhere = await tempDir(t);
  fs.renameSync(folder, join(elsewhere, 'real'));
  fs.symlinkSync(join(elsewhere, 'real'), folder);
  assert.deepEqual(await read(), FRESH);
});

test('a pipe in the place of a token is not waited for', async (t) => {
  const { folder, read } = await setUp(t);
  await read();
  const file = join(folder, fs.readdirSync(folder)[0]!);
  fs.rmSync(file);
  execFileSync('mkfifo', ['-m', '600', file]);
  // A wait for who writes to it would be one of this whole process.
  const writer = spawn('sh', ['-c', 'sleep 5; [ -p "$0" ] && : > "$0"', file]);
  t.after(() => writer.kill());
  const began = performance.now();
  assert.deepEqual(await read(), FRESH);
  assert.ok(performance.now() - began < 4000);
});

test('without a runtime folder it is one of the user’s own in the temporary folder', async (t) => {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = await tempDir(t);
  t.after(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  const keeper = createTokenKeeper({ XDG_RUNTIME_DIR: 'relative/is/ignored' });
  keeper.keep(USE, { value: 'abc', expires: Date.now() + 60_000 });
  assert.equal(createTokenKeeper({}).recall(USE)?.value, 'abc');
  assert.equal(createTokenKeeper({}).recall({ ...USE, actions: 'pull,push' }), undefined);
  assert.equal(createTokenKeeper({}).recall({ ...USE, credentials: undefined }), undefined);
  // Where nothing can be made nothing is kept, and that is all.
  const nowhere = createTokenKeeper({ XDG_RUNTIME_DIR: '/proc/nowhere' });
  nowhere.keep(USE, { value: 'abc', expires: Date.now() + 60_000 });
  assert.equal(nowhere.recall(USE), undefined);
  const session = `/run/user/${process.getuid?.()}`;
  if (fs.existsSync(session)) return;
  const own = join(process.env.TMPDIR, `clip-runtime-${process.getuid?.()}`);
  assert.equal(fs.statSync(own).mode & 0o7777, 0o700);
});

test('the command line: --keep-token, and nothing of it in the cache', async (t) => {
  const cacheDir = await tempDir(t);
  const runtime = await tempDir(t);
  const registry = await startTestRegistry({ auth: { kind: 'token', ...USER } });
  t.after(() => registry.stop());
  addTestImage(registry, 'team/app', 'v', makeTestImage([noise(1000)]));
  const env = {
    XDG_RUNTIME_DIR: runtime,
    CLIP_USERNAME: USER.username,
    CLIP_PASSWORD: USER.password,
    CLIP_KEEP_TOKEN: '1',
  };
  const args = ['info', '--platforms', `${registry.host}/team/app:v`];
  for (let i = 0; i < 3; i++) {
    const { status, stderr } = await clip(args, { cacheDir, env });
    assert.equal(status, 0, stderr);
  }
  assert.equal(registry.auth.issued, 1);
  const token = JSON.parse(
    fs.readFileSync(join(runtime, 'clip-tokens', fs.readdirSync(join(runtime, 'clip-tokens'))[0]!), 'utf8'),
  ).value as string;
  for (const name of fs.readdirSync(cacheDir, { recursive: true, encoding: 'utf8' })) {
    const path = join(cacheDir, name);
    if (fs.statSync(path).isFile()) assert.ok(!fs.readFileSync(path).includes(token), name);
  }
});
