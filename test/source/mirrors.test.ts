import assert from 'node:assert/strict';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ClipError, type ErrorCode } from '../../src/errors.js';
import { type ConnectionOptions, DEFAULT_CONNECTION } from '../../src/http/options.js';
import type { ClipEvent } from '../../src/observer.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { parseReference } from '../../src/reference/parse-reference.js';
import { openSource } from '../../src/source/open.js';
import { parseMirror } from '../../src/source/registry/mirror.js';
import { findRule, readRegistriesConf } from '../../src/source/registry/registries-conf.js';
import { resolveImage } from '../../src/source/resolve-image.js';
import { makeCertificate } from '../support/certificate.js';
import { has } from '../support/needs.js';
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from '../support/registry.js';
import { tempDir } from '../support/run-clip.js';
import { addTestImage, collect, makeTestImage, noise } from '../support/test-image.js';

const IMAGE = makeTestImage([noise(400_000)]);
const BASE: ConnectionOptions = {
  ...DEFAULT_CONNECTION,
  connectTimeout: 2000,
  headersTimeout: 500,
  retryDelay: 5,
};

async function serve(
  t: TestContext,
  repository: string,
  options: TestRegistryOptions = {},
): Promise<TestRegistry> {
  const registry = await startTestRegistry(options);
  t.after(() => registry.stop());
  addTestImage(registry, repository, 'v', IMAGE);
  return registry;
}

async function read(
  text: string,
  connection: Partial<ConnectionOptions>,
  before?: () => void,
): Promise<{ events: ClipEvent[]; warnings: string[] }> {
  const source = await openSource(parseImage(text), {
    connection: { ...BASE, ...connection },
    offline: false,
  });
  const events: ClipEvent[] = [];
  const observer = { emit: (event: ClipEvent) => void events.push(event) };
  try {
    const image = await resolveImage(source, { observer });
    before?.();
    assert.deepEqual(
      await collect(source.blob(image.layers[0]!, { observer })),
      Buffer.from(IMAGE.layers[0]!.bytes),
    );
    const range = { offset: 70_000, length: 100_000 };
    assert.deepEqual(
      await collect(source.range(image.layers[0]!, range, { observer })),
      Buffer.from(IMAGE.layers[0]!.bytes.subarray(70_000, 170_000)),
    );
  } finally {
    await source.close();
  }
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.code] : []));
  return { events, warnings };
}

const fails =
  (wanted: ErrorCode, message: RegExp) =>
  (error: unknown): true => {
    assert.ok(error instanceof ClipError, String(error));
    assert.equal(error.code, wanted, error.message);
    assert.match(error.message, message);
    assert.ok(error.hint);
    return true;
  };

/** Environment with this registries.conf, and nothing else. */
async function configured(t: TestContext, text: string): Promise<{ environment: Record<string, string> }> {
  const HOME = await tempDir(t);
  await mkdir(join(HOME, '.config/containers'), { recursive: true });
  await writeFile(join(HOME, '.config/containers/registries.conf'), text);
  return { environment: { HOME } };
}

test('--mirror: asked first, and the registry where it fails', async (t) => {
  const mirror = await serve(t, 'cache/a/b');
  const registry = await serve(t, 'a/b');
  const text = `${registry.host}/a/b:v`;
  const mirrors = [`${registry.host}=http://${mirror.host}/cache`];
  assert.deepEqual((await read(text, { mirrors })).warnings, []);
  assert.equal(registry.log.length, 0);
  for (const fault of [
    { kind: 'status', status: 404 },
    { kind: 'status', status: 401 },
    { kind: 'status', status: 500 },
    { kind: 'drop', after: 0 },
    { kind: 'stall', after: 'headers' },
    { kind: 'garbage', bytes: 'x\r\n\r\n' },
    { kind: 'status', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>hello</html>' },
  ] as const) {
    mirror.onRequest(() => fault);
    registry.log.length = 0;
    assert.deepEqual((await read(text, { mirrors })).warnings, ['MIRROR_FAILED'], JSON.stringify(fault));
    assert.equal(registry.log.length, 4);
  }
  await mirror.stop();
  assert.deepEqual((await read(text, { mirrors })).warnings, ['MIRROR_FAILED']);
  // Both fail: the registry says what is wrong.
  registry.onRequest(() => ({ kind: 'status', status: 404 }));
  await assert.rejects(read(text, { mirrors }), fails('NOT_FOUND', new RegExp(registry.host)));
});

test('a mirror that breaks off in mid-blob: the registry goes on from there', async (t) => {
  const mirror = await serve(t, 'a/b');
  const registry = await serve(t, 'a/b');
  const mirrors = [`${registry.host}=${mirror.host}`];
  const { warnings } = await read(`${registry.host}/a/b:v`, { mirrors }, () =>
    mirror.onRequest(() => ({ kind: 'drop', after: 150_000 })),
  );
  assert.deepEqual(warnings, ['MIRROR_FAILED']);
  assert.equal(registry.log.length, 2);
  assert.match(registry.log[0]?.range ?? '', /^bytes=[1-9][0-9]+-399999$/);
});

test('the login of CLIP_USERNAME goes to the registry alone, those of the auth file to theirs', async (t) => {
  const login = { kind: 'basic', username: 'u', password: 'p' } as const;
  const mirror = await serve(t, 'a/b', { auth: login });
  const registry = await serve(t, 'a/b', { auth: login });
  const HOME = await tempDir(t);
  const given = { HOME, XDG_RUNTIME_DIR: HOME, CLIP_USERNAME: 'u', CLIP_PASSWORD: 'p' };
  const mirrors = [`${registry.host}=${mirror.host}`];
  const text = `${registry.host}/a/b:v`;
  assert.deepEqual((await read(text, { mirrors, environment: given })).warnings, ['MIRROR_FAILED']);
  assert.ok(mirror.log.every(({ authorization }) => authorization === undefined));
  const file = join(HOME, 'auth.json');
  const auth = Buffer.from('u:p').toString('base64');
  await writeFile(file, JSON.stringify({ auths: { [mirror.host]: { auth } } }));
  const stored = { HOME, REGISTRY_AUTH_FILE: file };
  assert.deepEqual((await read(text, { mirrors, environment: stored })).warnings, []);
});

test('what a mirror may be', () => {
  assert.deepEqual(parseMirror('https://m.test/hub/'), {
    registry: 'docker.io',
    location: 'm.test/hub',
    plainHttp: false,
  });
  assert.deepEqual(parseMirror('ghcr.io=http://m.test:5000'), {
    registry: 'ghcr.io',
    location: 'm.test:5000',
    plainHttp: true,
  });
  assert.deepEqual(parseMirror('[::1]:5000=[::1]:6000/x'), {
    registry: '[::1]:5000',
    location: '[::1]:6000/x',
    plainHttp: undefined,
  });
  for (const wrong of [
    '',
    'https://',
    'https://u:geheim@m.test',
    'https://u:a/geheim@m.test',
    'a.test=u:geheim@m.test',
    'm.test?x=1',
    'ftp://m.test',
    'a=b=c d',
    '=m.test',
    'a b=m.test',
  ]) {
    assert.throws(
      () => parseMirror(wrong),
      (error: unknown) => {
        assert.doesNotMatch((error as Error).message, /geheim/);
        return fails('USAGE', /is no mirror/)(error);
      },
      wrong,
    );
  }
});

test('registries.conf: mirrors, locations, blocked, by digest only', async (t) => {
  const mirror = await serve(t, 'cache/a/b');
  const registry = await serve(t, 'a/b');
  const conf = (more: string) => configured(t, `[[registry]]\nprefix = "example.invalid"\n${more}`);
  const viaMirror = await conf(
    `location = "${registry.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}/cache"\ninsecure = true\n`,
  );
  assert.deepEqual((await read('example.invalid/a/b:v', viaMirror)).warnings, []);
  assert.equal(registry.log.length, 0);
  mirror.onRequest(() => ({ kind: 'status', status: 404 }));
  assert.deepEqual((await read('example.invalid/a/b:v', viaMirror)).warnings, ['MIRROR_FAILED']);
  mirror.onRequest(undefined);
  registry.log.length = 0;
  mirror.log.length = 0;
  const digestOnly = await conf(
    `location = "${registry.host}"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "${mirror.host}/cache"\n`,
  );
  await read('example.invalid/a/b:v', digestOnly);
  assert.equal(mirror.log.length, 0);
  registry.log.length = 0;
  await read(`example.invalid/a/b@${IMAGE.manifestDigest}`, digestOnly);
  assert.equal(registry.log.length, 0);
  const blocked = await conf('blocked = true\n');
  await assert.rejects(
    read('example.invalid/a/b:v', blocked),
    fails('DENIED', /blocked by registries\.conf/),
  );
});

test('registries.conf: insecure is any certificate, and HTTP where there is no TLS', {
  skip: has('openssl') ? false : 'needs openssl',
}, async (t) => {
  const tls = await makeCertificate(await tempDir(t));
  const secure = await serve(t, 'a/b', { tls });
  const plain = await serve(t, 'a/b');
  for (const { host } of [secure, plain]) {
    const conf = `[[registry]]\nlocation = "${host}"\ninsecure = true\n`;
    await read(`${host}/a/b:v`, await configured(t, conf));
  }
});

test('registries.conf: the longest prefix, wildcards, files that take the place of others', async (t) => {
  const HOME = await tempDir(t);
  const folder = join(HOME, '.config/containers');
  await mkdir(join(folder, 'registries.conf.d'), { recursive: true });
  const entry = (prefix: string, location: string) =>
    `[[registry]]\nprefix = "${prefix}"\nlocation = "${location}"\n`;
  await writeFile(
    join(folder, 'registries.conf'),
    `unqualified-search-registries = ["x.test"]\n${entry('a.test', 'one')}${entry('a.test/b', 'two')}${entry('a.test/b/d:1', 'four')}[[registry]]\nprefix = "*.w.test"\n`,
  );
  await writeFile(join(folder, 'registries.conf.d/10.conf'), entry('a.test', 'three'));
  await writeFile(join(folder, 'registries.conf.d/20.conf'), '# [[registry]]\n');
  const rules = await readRegistriesConf({ HOME });
  const ruleFor = (reference: string) => findRule(rules, parseReference(reference));
  const found = (reference: string) => ruleFor(reference)?.location;
  assert.equal(found('a.test/x'), 'three');
  assert.equal(found('a.test/b/c'), 'two');
  assert.equal(found('a.test/bc'), 'three');
  assert.equal(found('a.test/b/d:1'), 'four');
  assert.equal(found('a.test/b/d:12'), 'two');
  assert.equal(found('a.testx/b'), undefined);
  assert.equal(ruleFor('x.y.w.test:5000/b')?.prefix, '*.w.test');
  assert.equal(ruleFor('w.test/b'), undefined);
});

test('registries.conf: what blocks is found however it is written', async (t) => {
  for (const text of [
    '[["registry"]]\nlocation = "a.test"\nblocked = true\n',
    "[['registry']]\nlocation = 'a.test'\nblocked = true\n",
    'registry = [{ location = "a.test", blocked = true }]\n',
    '\ufeff[[registry]]\nlocation = "a.test"\nblocked = true\n',
    '"registry" = [{ location = "a.test", blocked = true }]\n',
    'short-name-mode = "enforcing"\r\n[[registry]]\r\nlocation = "a.test"\r\nblocked = true\r\n',
  ]) {
    await assert.rejects(read('a.test/b', await configured(t, text)), fails('DENIED', /blocked/), text);
  }
  for (const text of [
    'garbage[',
    'unqualified-search-registries = [\n',
    `x = [${'"a" '.repeat(60)}!`,
    '["registry"]\nlocation = "a.test"\nblocked = true\n',
    '[registries.block]\nregistries = ["a.test"]\n',
  ]) {
    await assert.rejects(
      read('a.test/b', await configured(t, text)),
      fails('USAGE', /registries\.conf"/),
      text,
    );
  }
  for (const text of [
    '# a comment\n\n  # another\nunqualified-search-registries = ["docker.io", "quay.io"] # those\n',
    'short-name-mode="permissive"\ncredential-helpers = [ "containers-auth.json" ]\n',
    '[registries.search]\nregistries = ["docker.io"]\n',
    '[aliases]\n"debian" = "docker.io/library/debian"\n',
  ]) {
    const { environment } = await configured(t, text);
    assert.deepEqual(await readRegistriesConf(environment), [], text);
  }
});

test('a registries.conf that is wrong says where', async (t) => {
  for (const [text, message] of [
    ['[[registry]\n', /registries\.conf": /],
    ['[[registry]]\nlocation = 5\n', /location is not a string/],
    ['[[registry]]\nlocation = "a.test"\nblocked = "yes"\n', /blocked is neither/],
    ['[[registry]]\nblocked = true\n', /neither prefix nor location/],
    ['registry = 1\n', /are tables/],
    ['[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\ninsecure = true\n', /mirror of "a\.test"/],
    ['[[registry]]\nprefix = "a.test"\nlocation = "B AD"\n', /makes no reference/],
  ] as const) {
    await assert.rejects(read('a.test/b', await configured(t, text)), fails('USAGE', message), text);
  }
});

test('a registries.conf that is named and not there, or cannot be read, is no empty one', async (t) => {
  const HOME = await tempDir(t);
  const folder = join(HOME, '.config/containers');
  const refused = (message: RegExp, more: Record<string, string> = {}) =>
    assert.rejects(readRegistriesConf({ HOME, ...more }), fails('USAGE', message));
  await readRegistriesConf({ HOME });
  for (const named of [join(HOME, 'none'), '/dev/null/none'])
    await refused(/CONTAINERS_REGISTRIES_CONF names .*, which is not there/, {
      CONTAINERS_REGISTRIES_CONF: named,
    });
  await refused(/cannot be read \(EISDIR\)/, { CONTAINERS_REGISTRIES_CONF: HOME });
  assert.deepEqual(await readRegistriesConf({ HOME, CONTAINERS_REGISTRIES_CONF: '/dev/null' }), []);

  // A file and a folder that nobody can read, root neither.
  await mkdir(folder, { recursive: true });
  const conf = join(folder, 'registries.conf');
  await symlink('registries.conf', conf);
  await refused(/registries\.conf" cannot be read \(ELOOP\)/);
  await rm(conf);
  await symlink('registries.conf.d', `${conf}.d`);
  await refused(/registries\.conf\.d" cannot be read \(ELOOP\)/);
  await rm(`${conf}.d`);
  await mkdir(join(`${conf}.d`, 'folder.conf'), { recursive: true });
  await symlink('none', join(`${conf}.d`, 'dangling.conf'));
  await readRegistriesConf({ HOME });
  await symlink('loop.conf', join(`${conf}.d`, 'loop.conf'));
  await refused(/loop\.conf" cannot be read \(ELOOP\)/);
});

test('a registries.conf of mode 000 is not passed over', async (t) => {
  const { environment } = await configured(t, '[[registry]]\nlocation = "a.test"\nblocked = true\n');
  const home = environment.HOME!;
  await chmod(home, 0o755);
  await chmod(join(home, '.config/containers/registries.conf'), 0);
  // Modes do not stop root, who is nobody meanwhile.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    await assert.rejects(read('a.test/b', { environment }), fails('USAGE', /cannot be read \(EACCES\)/));
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});
