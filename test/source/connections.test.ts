// Certificates, proxies and addresses, each against the embedded registry.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ClipError, type ErrorCode } from '../../src/errors.js';
import { type ConnectionOptions, DEFAULT_CONNECTION } from '../../src/http/options.js';
import type { ClipEvent } from '../../src/observer.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { openSource } from '../../src/source/open.js';
import { resolveImage } from '../../src/source/resolve-image.js';
import { makeCertificate } from '../support/certificate.js';
import { has } from '../support/needs.js';
import { startProxy, startSocks } from '../support/proxy.js';
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from '../support/registry.js';
import { clip, tempDir } from '../support/run-clip.js';
import { addTestImage, collect, makeTestImage, noise } from '../support/test-image.js';

const skip = has('openssl') ? false : 'needs openssl';
const IMAGE = makeTestImage([noise(200_000)]);
const BASE: ConnectionOptions = { ...DEFAULT_CONNECTION, connectTimeout: 2000, retryDelay: 5 };
type Environment = Record<string, string>;

async function serve(t: TestContext, options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const registry = await startTestRegistry(options);
  t.after(() => registry.stop());
  addTestImage(registry, 'a/b', 'v', IMAGE);
  return registry;
}

/** Reads the manifest, the config and a range of the layer. */
async function read(text: string, connection: Partial<ConnectionOptions>): Promise<ClipEvent[]> {
  const source = await openSource(parseImage(text), {
    connection: { ...BASE, ...connection },
    offline: false,
  });
  const events: ClipEvent[] = [];
  const observer = { emit: (event: ClipEvent) => void events.push(event) };
  try {
    const image = await resolveImage(source, { observer });
    const range = { offset: 1000, length: 50_000 };
    const got = await collect(source.range(image.layers[0]!, range, { observer }));
    assert.deepEqual(got, Buffer.from(IMAGE.layers[0]!.bytes.subarray(1000, 51_000)));
    return events;
  } finally {
    await source.close();
  }
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

test('a CA: by SSL_CERT_FILE, SSL_CERT_DIR, certs.d, or not at all', { skip }, async (t) => {
  const folder = await tempDir(t);
  const certificate = await makeCertificate(folder);
  const registry = await serve(t, { tls: certificate });
  const text = `${registry.host}/a/b:v`;
  const home = { HOME: join(folder, 'nobody') };
  const wrong = fails('NETWORK', /self-signed|unknown CA/);
  await assert.rejects(read(text, { environment: home }), wrong);
  await read(text, { environment: home, insecure: true });
  const events = await read(text, { environment: { ...home, SSL_CERT_FILE: certificate.certFile } });
  // The probe for HTTP, the manifest, the config, the layer: handshakes that trusted nobody are no requests.
  assert.equal(events.filter(({ type }) => type === 'request').length, 4);
  await mkdir(join(folder, 'cas'));
  await cp(certificate.certFile, join(folder, 'cas/ca.pem'));
  await writeFile(join(folder, 'cas/README'), 'no certificate');
  await read(text, { environment: { ...home, SSL_CERT_DIR: `/nowhere:${join(folder, 'cas')}` } });
  for (const [home, place] of [
    ['podman', '.config/containers/certs.d'],
    ['docker', '.docker/certs.d'],
  ] as const) {
    const environment = { HOME: join(folder, home) };
    const directory = join(environment.HOME, place, registry.host);
    await mkdir(directory, { recursive: true });
    await assert.rejects(read(text, { environment }), wrong);
    await cp(certificate.certFile, join(directory, 'ca.crt'));
    await read(text, { environment });
    await writeFile(join(directory, 'ca.crt'), 'nonsense');
    await assert.rejects(read(text, { environment }), fails('IO', /ca\.crt" cannot be read/));
  }
});

test('NODE_EXTRA_CA_CERTS works beside them', { skip }, async (t) => {
  const folder = await tempDir(t);
  const certificate = await makeCertificate(folder);
  const registry = await serve(t, { tls: certificate });
  const platforms = (env: Environment) =>
    clip(['info', '--platforms', `${registry.host}/a/b:v`], { cacheDir: folder, env });
  assert.equal((await platforms({})).status, 5);
  const trusted = await platforms({ NODE_EXTRA_CA_CERTS: certificate.certFile });
  assert.equal(trusted.status, 0, trusted.stderr);
});

test('a client certificate from certs.d', { skip }, async (t) => {
  const folder = await tempDir(t);
  const server = await makeCertificate(folder);
  await mkdir(join(folder, 'client'));
  const client = await makeCertificate(join(folder, 'client'));
  const registry = await serve(t, {
    tls: { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: true },
  });
  const text = `${registry.host}/a/b:v`;
  const directory = join(folder, '.config/containers/certs.d', registry.host);
  await mkdir(directory, { recursive: true });
  await cp(server.certFile, join(directory, 'server.crt'));
  const environment = { HOME: folder };
  await assert.rejects(read(text, { environment }), fails('NETWORK', /./));
  await cp(client.certFile, join(directory, 'client.cert'));
  await assert.rejects(
    read(text, { environment }),
    fails('IO', /client\.cert" stands without "client\.key"/),
  );
  await cp(client.keyFile, join(directory, 'client.key'));
  await read(text, { environment });
});

test('a certificate for another host is refused, whoever signed it', { skip }, async (t) => {
  const folder = await tempDir(t);
  const [keyFile, certFile] = [join(folder, 'k.pem'), join(folder, 'c.pem')];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  const names = ['-subj', '/CN=other', '-addext', 'subjectAltName=DNS:other.test'];
  execFileSync('openssl', ['req', '-x509', ...made, '-out', certFile, ...names], { stdio: 'ignore' });
  const [key, cert] = await Promise.all([readFile(keyFile, 'utf8'), readFile(certFile, 'utf8')]);
  const registry = await serve(t, { tls: { key, cert } });
  const environment = { SSL_CERT_FILE: certFile, HOME: folder };
  await assert.rejects(read(`${registry.host}/a/b:v`, { environment }), fails('NETWORK', /for another host/));
});

test('a proxy: plain HTTP through it, TLS through a tunnel, NO_PROXY past it', { skip }, async (t) => {
  const folder = await tempDir(t);
  const certificate = await makeCertificate(folder);
  const plain = await serve(t);
  const secure = await serve(t, { tls: certificate });
  const [http, https] = [await startProxy({ to: plain.origin }), await startProxy({ to: secure.origin })];
  t.after(async () => {
    await http.stop();
    await https.stop();
  });
  // A name that only the proxy can resolve.
  await read('registry.invalid/a/b:v', { plainHttp: true, environment: { HTTP_PROXY: http.url } });
  assert.equal(http.log.length, 3);
  assert.match(http.log[0] ?? '', /^GET http:\/\/registry\.invalid\/v2\/a\/b\/manifests\/v$/);
  const environment = { https_proxy: https.url, HOME: folder, SSL_CERT_FILE: certificate.certFile };
  await assert.rejects(
    read('registry.invalid/a/b:v', { environment }),
    fails('NETWORK', /through the proxy .* for another host/),
  );
  await read('registry.invalid/a/b:v', { environment, insecure: true });
  assert.match(https.log.at(-1) ?? '', /^CONNECT registry\.invalid:443$/);
  const past = { ...environment, NO_PROXY: '.invalid' };
  await assert.rejects(
    read('registry.invalid/a/b:v', { environment: past }),
    fails('NETWORK', /unknown host|looked up/),
  );
  // Loopback is never proxied.
  const before = http.log.length;
  await read(`${plain.host}/a/b:v`, { environment: { HTTP_PROXY: http.url } });
  assert.equal(http.log.length, before);
});

test('a proxy that wants a login gets it, and its password is never printed', async (t) => {
  const registry = await serve(t);
  const proxy = await startProxy({ to: registry.origin, login: 'user:p@ss' });
  t.after(() => proxy.stop());
  const host = new URL(proxy.url).host;
  const good = { HTTP_PROXY: `http://user:p%40ss@${host}` };
  const events = await read('registry.invalid/a/b:v', { plainHttp: true, environment: good });
  assert.doesNotMatch(JSON.stringify(events), /p@ss|p%40ss/);
  for (const [environment, options] of [
    [{ HTTP_PROXY: `http://user:geheim@${host}` }, { plainHttp: true }],
    [{ HTTPS_PROXY: `http://user:geheim@${host}` }, {}],
  ] as const) {
    await assert.rejects(read('registry.invalid/a/b:v', { ...options, environment }), (error: unknown) => {
      fails('NETWORK', /the proxy 127\.0\.0\.1:\d+ wants a login/)(error);
      assert.doesNotMatch(String((error as Error).stack) + String((error as Error).cause), /geheim|Z2Vo/);
      return true;
    });
  }
  await proxy.stop();
  await assert.rejects(
    read('registry.invalid/a/b:v', { plainHttp: true, environment: good }),
    fails('NETWORK', /through the proxy 127\.0\.0\.1:\d+\): connection refused/),
  );
});

test('the program through proxies: a tunnel with a login, one that speaks TLS itself, SOCKS5', {
  skip,
}, async (t) => {
  const folder = await tempDir(t);
  const certificate = await makeCertificate(folder);
  const plain = await serve(t);
  const secure = await serve(t, { tls: certificate });
  const login = 'us er:p@ss';
  const tunnel = await startProxy({ to: secure.origin, login });
  const overTls = await startProxy({ to: secure.origin, tls: certificate });
  const plainOverTls = await startProxy({ to: plain.origin, tls: certificate });
  const socks = await startSocks({ to: secure.origin, login });
  const plainSocks = await startSocks({ to: plain.origin });
  const proxies = [tunnel, overTls, plainOverTls, socks, plainSocks];
  t.after(() => Promise.all(proxies.map((proxy) => proxy.stop())));
  const withLogin = ({ url }: { url: string }) => url.replace('//', '//us%20er:p%40ss@');
  const trusted = { SSL_CERT_FILE: certificate.certFile, HOME: folder };
  for (const [env, flags] of [
    [{ HTTPS_PROXY: withLogin(tunnel) }, ['--insecure']],
    [{ HTTPS_PROXY: overTls.url }, ['--insecure']],
    [{ HTTP_PROXY: plainOverTls.url, ...trusted }, ['--plain-http']],
    [{ HTTPS_PROXY: withLogin(socks) }, ['--insecure']],
    [{ HTTP_PROXY: plainSocks.url }, ['--plain-http']],
  ] as const) {
    const told = await clip(['info', '--platforms', 'registry.invalid/a/b:v', ...flags], {
      cacheDir: folder,
      env: { ...env },
    });
    assert.equal(told.status, 0, `${JSON.stringify(env)} ${told.stderr}`);
    assert.equal(told.stderr, '');
    assert.match(told.stdout.toString(), /linux/);
  }
  for (const { log } of proxies) assert.match(log.at(-1) ?? '', /registry\.invalid/);
  const wrong = await clip(['info', 'registry.invalid/a/b:v', '--tries', '1'], {
    cacheDir: folder,
    env: { HTTPS_PROXY: socks.url.replace('//', '//user:geheim@') },
  });
  assert.equal(wrong.status, 5);
  assert.doesNotMatch(wrong.stderr, /geheim/);
});

test('a registry at an IPv6 address', async (t) => {
  const registry = await serve(t, { address: '::1' });
  assert.match(registry.host, /^\[::1\]:/);
  await read(`${registry.host}/a/b:v`, {});
});
