import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';
import type { ClipEvent } from '../../src/observer.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { parseReference } from '../../src/reference/parse-reference.js';
import { openSource } from '../../src/source/open.js';
import { openRegistry } from '../../src/source/registry/registry-source.js';
import { resolveImage } from '../../src/source/resolve-image.js';
import { copyToRegistry, missingPrograms, run, startDockerRegistry } from '../support/docker-registry.js';
import { collect, noise } from '../support/test-image.js';

const missing = missingPrograms('docker-registry', 'skopeo', 'umoci', 'htpasswd', 'openssl');
const skip = missing === undefined ? false : `needs ${missing}`;

async function makeLayout(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'clip-umoci-'));
  t.after(() => rm(folder, { recursive: true }));
  const image = `${join(folder, 'layout')}:v1`;
  await run('umoci', ['init', '--layout', join(folder, 'layout')]);
  await run('umoci', ['new', '--image', image]);
  const file = join(folder, 'file');
  await writeFile(file, noise(3_000_000));
  await run('umoci', ['insert', '--rootless', '--image', image, file, '/bin/file']);
  return image;
}

test('docker-registry: the same image as in the layout; three requests and one range', {
  skip,
}, async (t) => {
  const layout = await makeLayout(t);
  const registry = await startDockerRegistry();
  t.after(() => registry.stop());
  await copyToRegistry(layout, `${registry.host}/team/app:v1`);
  const connection = DEFAULT_CONNECTION;
  const local = await openSource(parseImage(`oci:${layout}`), { connection, offline: true });
  const remote = await openSource(parseImage(`${registry.host}/team/app:v1`), { connection, offline: false });
  t.after(() => remote.close());
  const events: ClipEvent[] = [];
  const observer = { emit: (event: ClipEvent) => void events.push(event) };
  const [a, b] = [await resolveImage(local), await resolveImage(remote, { observer })];
  assert.deepEqual(b, a);
  const layer = b.layers[0]!;
  const range = { offset: layer.size >> 1, length: 100_000 };
  assert.deepEqual(
    await collect(remote.range(layer, range, { observer })),
    await collect(local.range(layer, range)),
  );
  assert.equal(events.filter(({ type }) => type === 'request').length, 3);
  assert.deepEqual(await collect(remote.blob(layer)), await collect(local.blob(layer)));
});

test('docker-registry with htpasswd and TLS', { skip }, async (t) => {
  const layout = await makeLayout(t);
  const login = { username: 'alice', password: 'geheim' };
  const registry = await startDockerRegistry({ htpasswd: login, tls: true });
  t.after(() => registry.stop());
  await copyToRegistry(layout, `${registry.host}/app:v1`, login);
  const reference = parseReference(`${registry.host}/app:v1`);
  const open = (insecure: boolean, password: string) => {
    const source = openRegistry(reference, {
      connection: { ...DEFAULT_CONNECTION, insecure, retryDelay: 5 },
      findCredentials: async () => ({ kind: 'password', username: 'alice', password }),
    });
    t.after(() => source.close());
    return source;
  };
  const image = await resolveImage(open(true, 'geheim'));
  assert.equal(image.layers.length, 1);
  await assert.rejects(resolveImage(open(true, 'wrong')), (error) => isClipError(error, 'UNAUTHORIZED'));
  await assert.rejects(resolveImage(open(false, 'geheim')), (error: unknown) => {
    return isClipError(error, 'NETWORK') && /certificate is self-signed/.test(error.message);
  });
});
