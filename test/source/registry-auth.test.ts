import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import { isRetryable } from '../../src/http/errors.js';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';
import type { ClipEvent } from '../../src/observer.js';
import { parseReference } from '../../src/reference/parse-reference.js';
import type { CredentialFinder, Credentials } from '../../src/source/credentials/credentials.js';
import { createCredentialFinder } from '../../src/source/credentials/find-credentials.js';
import { runHelper } from '../../src/source/credentials/helper.js';
import { openRegistry } from '../../src/source/registry/registry-source.js';
import type { ImageSource } from '../../src/source/source.js';
import {
  type Fault,
  type LoggedRequest,
  type RegistryAuth,
  startTestRegistry,
  type TestRegistry,
} from '../support/registry.js';
import { addTestImage, collect, makeTestImage, noise } from '../support/test-image.js';

const IMAGE = makeTestImage([noise(300_000)]);
const LAYER = IMAGE.layers[0]!;
const USER = { username: 'alice', password: 'pa:ss wörd' };
const LOGIN: Credentials = { kind: 'password', ...USER };
const SECRETS = /pa:ss|w%C3%B6rd|cGE6|refresh-me|YWxpY2U6/;

async function setUp(
  t: TestContext,
  auth: RegistryAuth,
  found: Credentials | undefined,
): Promise<{ registry: TestRegistry; source: ImageSource; kinds: () => string[] }> {
  const registry = await startTestRegistry({ auth });
  addTestImage(registry, 'team/app', 'v', IMAGE);
  const findCredentials: CredentialFinder = async () => found;
  const source = openRegistry(parseReference(`${registry.host}/team/app:v`), {
    connection: { ...DEFAULT_CONNECTION, retryDelay: 5 },
    findCredentials,
  });
  t.after(async () => {
    await source.close();
    await registry.stop();
  });
  return { registry, source, kinds: () => registry.log.map(({ kind, status }) => `${kind} ${status}`) };
}

const refused = (error: unknown): boolean => {
  assert.ok(isClipError(error, 'UNAUTHORIZED'), String(error));
  assert.equal(error.exitStatus, 4);
  assert.match(error.hint ?? '', /docker login 127\.0\.0\.1/);
  assert.doesNotMatch(`${error.message} ${error.stack}`, SECRETS);
  return true;
};

test('basic: asked once, then sent with every request', async (t) => {
  const { source, kinds } = await setUp(t, { kind: 'basic', ...USER }, LOGIN);
  await source.manifest(undefined);
  assert.deepEqual(await collect(source.blob(LAYER.descriptor)), Buffer.from(LAYER.bytes));
  assert.deepEqual(kinds(), ['manifest 401', 'manifest 200', 'blob 200']);
});

test('basic: no login, and a wrong one', async (t) => {
  const none = await setUp(t, { kind: 'basic', ...USER }, undefined);
  await assert.rejects(none.source.manifest(undefined), refused);
  const wrong = await setUp(t, { kind: 'basic', ...USER }, { ...USER, kind: 'password', password: 'pa:ss' });
  await assert.rejects(wrong.source.manifest(undefined), refused);
  assert.deepEqual(wrong.kinds(), ['manifest 401', 'manifest 401']);
});

for (const [name, auth, credentials] of [
  ['anonymous', { kind: 'token' }, undefined],
  ['user and password', { kind: 'token', ...USER }, LOGIN],
  ['identity', { kind: 'token', identity: 'refresh-me' }, { kind: 'identity', token: 'refresh-me' }],
] as [string, RegistryAuth, Credentials | undefined][]) {
  test(`bearer, ${name}: one token serves all reads, and is renewed when it is revoked in mid-read`, async (t) => {
    const { registry, source, kinds } = await setUp(t, auth, credentials);
    await source.manifest(undefined);
    await Promise.all(
      [1, 2, 3].map((n) => collect(source.range(LAYER.descriptor, { offset: n, length: 10 }))),
    );
    assert.deepEqual(kinds().slice(0, 3), ['manifest 401', 'token 200', 'manifest 200']);
    assert.equal(registry.auth.issued, 1);
    registry.log.length = 0;
    registry.onRequest(({ kind }) => (kind === 'blob' ? { kind: 'drop', after: 100_000 } : undefined));
    const first = registry.auth.issued;
    const chunks = source.blob(LAYER.descriptor)[Symbol.asyncIterator]();
    const begun = Buffer.from((await chunks.next()).value as Uint8Array);
    registry.auth.revoke();
    registry.onRequest(undefined);
    const rest = await collect({ [Symbol.asyncIterator]: () => chunks });
    assert.deepEqual(Buffer.concat([begun, rest]), Buffer.from(LAYER.bytes));
    assert.equal(registry.auth.issued, first + 1);
    assert.deepEqual(kinds(), ['blob 200', 'blob 401', 'token 200', 'blob 206']);
  });
}

test('bearer: many reads that meet a 401 together share one renewal', async (t) => {
  const { registry, source } = await setUp(t, { kind: 'token', ...USER }, LOGIN);
  await source.manifest(undefined);
  registry.auth.revoke();
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => collect(source.range(LAYER.descriptor, { offset: n, length: 9 }))),
  );
  assert.equal(registry.auth.issued, 2);
});

test('bearer: who gives up while a token is fetched does not take down who waits for the same one', async (t) => {
  const { registry, source } = await setUp(t, { kind: 'token' }, undefined);
  registry.onRequest(({ kind }) => (kind === 'token' ? { kind: 'delay', milliseconds: 300 } : undefined));
  const abort = new AbortController();
  const first = source.manifest(undefined, { signal: abort.signal });
  const second = source.manifest(undefined);
  setTimeout(() => abort.abort(), 150);
  await assert.rejects(first, (error) => isClipError(error, 'INTERRUPTED'));
  assert.equal((await second).digest, IMAGE.manifestDigest);
});

test('bearer: a token that runs out is renewed before it is refused', async (t) => {
  const { registry, source, kinds } = await setUp(t, { kind: 'token', expiresIn: 1 }, undefined);
  await source.manifest(undefined);
  registry.log.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 600));
  await source.manifest(undefined);
  assert.deepEqual(kinds(), ['token 200', 'manifest 200']);
});

test('bearer: a refused login, and a registry that refuses its own tokens, end', async (t) => {
  const wrong = await setUp(t, { kind: 'token', ...USER }, { ...LOGIN, password: 'pa:ss' } as Credentials);
  await assert.rejects(wrong.source.manifest(undefined), refused);
  const { registry, source } = await setUp(t, { kind: 'token' }, undefined);
  registry.onRequest((request) => {
    if (request.kind === 'manifest') registry.auth.revoke();
    return undefined;
  });
  await assert.rejects(source.manifest(undefined), refused);
  assert.ok(registry.log.length <= 6);
});

test('a login is never sent without TLS to another host', async (t) => {
  const { registry, source } = await setUp(t, { kind: 'token', ...USER }, LOGIN);
  const challenge = 'Bearer realm="http://auth.example/token",service="x"';
  registry.onRequest(() => ({ kind: 'status', status: 401, headers: { 'www-authenticate': challenge } }));
  await assert.rejects(
    source.manifest(undefined),
    (error) => isClipError(error, 'REGISTRY') && /without TLS/.test(error.message),
  );
});

test('a redirect to another host loses the login; a 401 of that host is no challenge', async (t) => {
  const { registry, source } = await setUp(t, { kind: 'basic', ...USER }, LOGIN);
  await source.manifest(undefined);
  registry.onRequest((request) => (request.kind === 'blob' ? { kind: 'redirect', to: 'store' } : undefined));
  await collect(source.range(LAYER.descriptor, { offset: 0, length: 10 }));
  assert.equal(registry.log.at(-1)?.kind, 'store');
  assert.equal(registry.log.at(-1)?.authorization, undefined);
});

test('a server that repeats the login in its refusal is not quoted', async (t) => {
  const says = (request: LoggedRequest, message: string): Fault => ({
    kind: 'status',
    status: 403,
    body: JSON.stringify({ errors: [{ code: 'DENIED', message: `${request.authorization} ${message}` }] }),
  });
  const identity: Credentials = { kind: 'identity', token: 'refresh-me' };
  for (const [auth, login, kind, secret] of [
    [{ kind: 'basic', ...USER }, LOGIN, 'manifest', USER.password],
    [{ kind: 'token', ...USER }, LOGIN, 'token', USER.password],
    [{ kind: 'token', identity: 'refresh-me' }, identity, 'token', 'refresh-me'],
    [{ kind: 'token', ...USER }, LOGIN, 'manifest', 'your token'],
  ] as const) {
    const { registry, source } = await setUp(t, auth, login);
    registry.onRequest((request) =>
      request.kind === kind && request.authorization !== undefined ? says(request, secret) : undefined,
    );
    const isPost = auth.kind === 'token' && 'identity' in auth;
    if (isPost) registry.onRequest((request) => (request.kind === kind ? says(request, secret) : undefined));
    await assert.rejects(source.manifest(undefined), (error) => {
      assert.ok(isClipError(error, 'DENIED'), String(error));
      assert.doesNotMatch(error.message, /DENIED|Bearer|Basic/);
      assert.doesNotMatch(error.message, SECRETS);
      return true;
    });
    const plain = JSON.stringify({ errors: [{ code: 'DENIED', message: 'no such team' }] });
    registry.onRequest(() => ({ kind: 'status', status: 403, body: plain }));
    await assert.rejects(source.manifest(undefined), /DENIED: no such team/);
  }
});

test('no secret reaches an event', async (t) => {
  const { source } = await setUp(t, { kind: 'token', ...USER }, LOGIN);
  const events: ClipEvent[] = [];
  await source.manifest(undefined, { observer: { emit: (event) => void events.push(event) } });
  assert.equal(events.filter(({ type }) => type === 'request').length, 3);
  assert.doesNotMatch(JSON.stringify(events), SECRETS);
  assert.match(JSON.stringify(events), /scope=repository:team\/app:pull/);
});

async function folder(t: TestContext, files: Record<string, unknown>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'clip-auth-'));
  t.after(() => rm(path, { recursive: true }));
  for (const [name, value] of Object.entries(files)) {
    await mkdir(join(path, name, '..'), { recursive: true });
    await writeFile(join(path, name), typeof value === 'string' ? value : JSON.stringify(value));
  }
  return path;
}

const encode = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString('base64') });
const password = (username: string, word: string): Credentials => ({
  kind: 'password',
  username,
  password: word,
});

test('the Docker config file: by host, old URL, Docker Hub, repository', async (t) => {
  const home = await folder(t, {
    'config.json': {
      auths: {
        'a.example': encode('u:p:q'),
        'https://b.example/v1/': { username: 'u', password: 'b' },
        'https://index.docker.io/v1/': encode('hub:x'),
        'a.example/team': encode('team:t'),
        'a.example/team/app': encode('app:t'),
        'c.example': { identitytoken: 'refresh', ...encode('<token>:') },
        'd.example': { registrytoken: 'bearer' },
        'e.example': {},
        'f.example': encode('nocolon'),
      },
    },
  });
  const find = createCredentialFinder({
    DOCKER_CONFIG: home,
    HOME: '/nonexistent',
    XDG_RUNTIME_DIR: '/nonexistent',
  });
  assert.deepEqual(await find('a.example', 'x'), password('u', 'p:q'));
  assert.deepEqual(await find('a.example', 'team/other'), password('team', 't'));
  assert.deepEqual(await find('a.example', 'team/app'), password('app', 't'));
  assert.deepEqual(await find('b.example', 'x'), password('u', 'b'));
  assert.deepEqual(await find('docker.io', 'library/debian'), password('hub', 'x'));
  assert.deepEqual(await find('c.example', 'x'), { kind: 'identity', token: 'refresh' });
  assert.deepEqual(await find('d.example', 'x'), { kind: 'bearer', token: 'bearer' });
  for (const host of ['e.example', 'f.example', 'g.example', '__proto__'])
    assert.equal(await find(host, 'x'), undefined);
});

test('other places: REGISTRY_AUTH_FILE, the runtime directory, the environment', async (t) => {
  const home = await folder(t, {
    'auth.json': { auths: { h: encode('file:1') } },
    'run/containers/auth.json': { auths: { h: encode('run:2') } },
    '.docker/config.json': { auths: { h: encode('docker:3'), only: encode('docker:4') } },
    '.dockercfg': { h: encode('before:6'), old: encode('before:5') },
  });
  const base = { HOME: home, XDG_RUNTIME_DIR: join(home, 'run'), XDG_CONFIG_HOME: join(home, 'none') };
  assert.deepEqual(await createCredentialFinder(base)('h', 'x'), password('run', '2'));
  assert.deepEqual(await createCredentialFinder(base)('only', 'x'), password('docker', '4'));
  assert.deepEqual(await createCredentialFinder(base)('old', 'x'), password('before', '5'));
  const named = createCredentialFinder({ ...base, REGISTRY_AUTH_FILE: join(home, 'auth.json') });
  assert.deepEqual(await named('h', 'x'), password('file', '1'));
  const given = { ...base, CLIP_USERNAME: 'ci', CLIP_PASSWORD: 's' };
  assert.deepEqual(await createCredentialFinder(given)('h', 'x'), password('ci', 's'));
  await assert.rejects(createCredentialFinder({ ...base, CLIP_USERNAME: 'ci' })('h', 'x'), /only one of/);
});

test('a broken login file is said so without quoting it', async (t) => {
  const home = await folder(t, { 'config.json': '{"auths": {"h": {"auth": "c2VjcmV0' });
  const find = createCredentialFinder({ DOCKER_CONFIG: home, HOME: home, XDG_RUNTIME_DIR: home });
  await assert.rejects(find('h', 'x'), (error: unknown) => {
    assert.ok(isClipError(error, 'USAGE'));
    assert.match(error.message, /config\.json is not valid/);
    assert.doesNotMatch(`${error.message}${String(error.cause)}`, /c2Vj/);
    return true;
  });
});

async function helper(t: TestContext, name: string, script: string): Promise<string> {
  const path = await folder(t, { [`docker-credential-${name}`]: `#!/bin/sh\n${script}\n` });
  await chmod(join(path, `docker-credential-${name}`), 0o755);
  const before = process.env.PATH;
  process.env.PATH = `${path}:${before}`;
  t.after(() => {
    process.env.PATH = before;
  });
  return path;
}

test('credential helpers: found by registry, as a store, with identity tokens', async (t) => {
  await helper(
    t,
    'one',
    'read host; echo "{\\"ServerURL\\":\\"$host\\",\\"Username\\":\\"u-$host\\",\\"Secret\\":\\"s\\"}"',
  );
  await helper(t, 'two', 'echo \'{"Username":"<token>","Secret":"refresh"}\'');
  const home = await folder(t, {
    'config.json': {
      credHelpers: { 'a.example': 'one' },
      credsStore: 'two',
      auths: { 'b.example': encode('b:b') },
    },
  });
  const find = createCredentialFinder({ DOCKER_CONFIG: home, HOME: home, XDG_RUNTIME_DIR: home });
  assert.deepEqual(await find('a.example', 'x'), password('u-a.example', 's'));
  assert.deepEqual(await find('b.example', 'x'), password('b', 'b'));
  assert.deepEqual(await find('z.example', 'x'), { kind: 'identity', token: 'refresh' });
});

test('credential helpers that fail: missing, no login, nonsense, hanging, talkative, a name with a path', async (t) => {
  const failed = (message: RegExp) => (error: unknown) => {
    assert.ok(isClipError(error), String(error));
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  };
  await assert.rejects(runHelper('missing-for-clip', 'h'), failed(/not installed/));
  await helper(t, 'empty', 'echo "credentials not found in native keychain"; exit 1');
  assert.equal(await runHelper('empty', 'h'), undefined);
  await helper(t, 'bad', 'echo secret; exit 3');
  await assert.rejects(runHelper('bad', 'h'), failed(/status 3/));
  await helper(t, 'words', 'echo secret words');
  await assert.rejects(runHelper('words', 'h'), failed(/JSON/));
  await helper(t, 'hang', 'exec sleep 30');
  // Whoever asks again would wait as long again.
  await assert.rejects(
    runHelper('hang', 'h', 200),
    (error) => isClipError(error, 'TIMEOUT') && !isRetryable(error),
  );
  await helper(
    t,
    'podman',
    'read host; [ "$host" = docker.io ] || { echo not found; exit 1; }; echo \'{"Username":"u","Secret":"s"}\'',
  );
  assert.deepEqual(await runHelper('podman', 'docker.io'), password('u', 's'));
  assert.equal(await runHelper('podman', 'quay.io'), undefined);
  await helper(t, 'loud', 'exec yes secret');
  await assert.rejects(runHelper('loud', 'h'), failed(/too much/));
  await assert.rejects(runHelper('../../bin/sh', 'h'), failed(/no name of/));
});
