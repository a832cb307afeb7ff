// The built program against real servers: Debian's docker-registry open, with a login and TLS, and behind nginx with redirects. From
// each the same index, the same bytes and the same tree as from the layout that was pushed.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { copyToRegistry, type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js';
import { has } from '../support/needs.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { bundled, clip, receiptOf, root } from '../support/run-clip.js';

const tools = ['docker-registry', 'skopeo', 'htpasswd', 'openssl', 'nginx'].filter((name) => !has(name));
const layout = join(root, 'fixtures/debian-small:latest');
const LOGIN = { username: 'alice', password: 'correct horse' };

describe('the same image from real registries', {
  skip: tools.length > 0 && `needs ${tools.join(', ')}`,
}, () => {
  let work: string;
  let wanted: Seen;
  const stops: (() => Promise<void>)[] = [];

  before(async () => {
    work = mkdtempSync(join(tmpdir(), 'clip-real-'));
    wanted = await look(bundled, {});
  });
  after(async () => {
    for (const stop of stops.reverse()) await stop();
    rmSync(work, { recursive: true, force: true });
  });

  async function started(options: Parameters<typeof startDockerRegistry>[0]): Promise<DockerRegistry> {
    const registry = await startDockerRegistry(options);
    stops.push(() => registry.stop());
    await copyToRegistry(layout, `${registry.host}/team/app:v1`, options?.htpasswd ?? {});
    return registry;
  }

  interface Seen {
    identity: string;
    files: string;
    tree: string[];
  }

  async function look(image: string, env: NodeJS.ProcessEnv): Promise<Seen> {
    const cacheDir = mkdtempSync(join(work, 'cache-'));
    const home = { HOME: cacheDir, ...env };
    const built = await clip(['index', image, '--json'], { cacheDir, env: home });
    assert.equal(built.status, 0, built.stderr);
    const { identity, path } = JSON.parse(built.stdout.toString());
    const other = mkdtempSync(join(work, 'cache-'));
    const listed = await clip(['ls', '-R', '--json', path], { cacheDir: other, env: home });
    const files = listed.stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { path: string; type: string })
      .filter(({ type }) => type === 'file')
      .map((line) => line.path)
      .sort((a, b) => (sha(Buffer.from(a)) < sha(Buffer.from(b)) ? -1 : 1))
      .slice(0, 30);
    const cat = await clip(['cat', path, ...files], { cacheDir: other, env: home });
    assert.equal(cat.status, 0, cat.stderr);
    const out = mkdtempSync(join(work, 'out-'));
    const extracted = await clip(['extract', path, '-C', out], { cacheDir: other, env: home });
    assert.equal(extracted.status, 0, extracted.stderr);
    return { identity, files: sha(cat.stdout), tree: treeOf(out) };
  }

  test('docker-registry, open', async () => {
    const registry = await started({});
    assert.deepEqual(await look(`${registry.host}/team/app:v1`, {}), wanted);
  });

  test('docker-registry with htpasswd and TLS: the login from an auth file, the CA from certs.d', async () => {
    const registry = await started({ htpasswd: LOGIN, tls: true });
    const image = `${registry.host}/team/app:v1`;
    const home = join(work, 'home');
    const certs = join(home, '.config/containers/certs.d', registry.host);
    mkdirSync(certs, { recursive: true });
    writeFileSync(join(certs, 'ca.crt'), registry.certificate ?? '');
    const auth = Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64');
    mkdirSync(join(home, '.docker'));
    writeFileSync(
      join(home, '.docker/config.json'),
      JSON.stringify({ auths: { [registry.host]: { auth } } }),
    );
    const env = { HOME: home, XDG_RUNTIME_DIR: home };
    assert.deepEqual(await look(image, env), wanted);
    const cacheDir = mkdtempSync(join(work, 'cache-'));
    const refused = await clip(['index', image], {
      cacheDir,
      env: { ...env, CLIP_USERNAME: 'alice', CLIP_PASSWORD: 'geheim' },
    });
    assert.equal(refused.status, 4, refused.stderr);
    assert.doesNotMatch(refused.stderr, /geheim/);
    const unknown = await clip(['index', image], { cacheDir, env: { HOME: cacheDir } });
    assert.equal(unknown.status, 5, unknown.stderr);
    assert.match(unknown.stderr, /certificate is self-signed/);
  });

  test('behind nginx: TLS ends there, blobs are redirected to another host', async () => {
    const registry = await started({ htpasswd: LOGIN });
    const folder = mkdtempSync(join(work, 'nginx-'));
    const nginx: Nginx = await startNginx(registry, folder);
    stops.push(() => nginx.stop());
    const env = {
      SSL_CERT_FILE: nginx.certFile,
      CLIP_USERNAME: LOGIN.username,
      CLIP_PASSWORD: LOGIN.password,
    };
    const image = `${nginx.host}/team/app:v1`;
    assert.deepEqual(await look(image, env), wanted);
    const cacheDir = mkdtempSync(join(work, 'cache-'));
    const index = (await clip(['index', image], { cacheDir, env })).stdout.toString().trim();
    const other = mkdtempSync(join(work, 'cache-'));
    const cat = await clip(['cat', index, '/etc/debian_version', '--stats', 'json', '--log-level', 'debug'], {
      cacheDir: other,
      env,
    });
    assert.equal(cat.status, 0, cat.stderr);
    assert.doesNotMatch(cat.stderr, /signature=secret/i);
    const { fetchedBytes } = receiptOf(cat) as { fetchedBytes?: number };
    assert.ok(fetchedBytes! < 2 << 20, `${fetchedBytes} bytes`);
  });
});

function treeOf(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return names.map((name) => {
    const path = join(folder, name);
    const stats = lstatSync(path);
    const facts = `${name} ${stats.mode.toString(8)}`;
    if (stats.isSymbolicLink()) return `${facts} ${readlinkSync(path)}`;
    return stats.isFile() ? `${facts} ${stats.mtimeMs} ${sha(readFileSync(path))}` : facts;
  });
}

function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
