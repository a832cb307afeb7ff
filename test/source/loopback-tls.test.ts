import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { parseReference } from '../../src/reference/parse-reference.js';
import { openSource } from '../../src/source/open.js';
import { openRepository } from '../../src/source/registry/repository.js';
import { makeCertificate } from '../support/certificate.js';
import { missingPrograms } from '../support/docker-registry.js';
import { startTestRegistry } from '../support/registry.js';
import { addTestImage, collect, makeTestImage, noise } from '../support/test-image.js';

const missing = missingPrograms('openssl');

test('a TLS registry on loopback is found out; redirects and ranges work over TLS; none goes to plain HTTP', {
  skip: missing === undefined ? false : `needs ${missing}`,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'clip-tls-'));
  t.after(() => rm(folder, { recursive: true }));
  const registry = await startTestRegistry({ tls: await makeCertificate(folder) });
  const image = makeTestImage([noise(100_000)]);
  addTestImage(registry, 'a', 'v', image);
  const connection = { ...DEFAULT_CONNECTION, insecure: true, retryDelay: 5 };
  const source = await openSource(parseImage(`${registry.host}/a:v`), { connection, offline: false });
  t.after(async () => {
    await source.close();
    await registry.stop();
  });
  const { descriptor, bytes } = image.layers[0]!;
  registry.onRequest(({ kind }) => (kind === 'blob' ? { kind: 'redirect', to: 'store' } : undefined));
  const range = { offset: 1000, length: 5000 };
  assert.deepEqual(await collect(source.range(descriptor, range)), Buffer.from(bytes.subarray(1000, 6000)));
  assert.deepEqual(
    registry.log.map(({ kind }) => kind),
    ['blob', 'store'],
  );
  // Who writes begins with a HEAD.
  const pushing = openRepository(parseReference(`${registry.host}/a`), { connection }, 'pull,push');
  t.after(pushing.close);
  const head = { method: 'HEAD', headers: {} } as const;
  assert.equal((await pushing.api.send(`blobs/${descriptor.digest}`, head, {})).status, 200);
  registry.onRequest(({ kind }) =>
    kind === 'manifest' ? { kind: 'redirect', to: 'http://127.0.0.1:1/x' } : undefined,
  );
  await assert.rejects(source.manifest(undefined), /from HTTPS to plain HTTP/);
});
