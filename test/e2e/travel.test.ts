// An index beside its image in Debian's docker-registry, which has no referrers API: the whole round with the built program.
import assert from 'node:assert/strict';
import test from 'node:test';
import { copyToRegistry, startDockerRegistry } from '../support/docker-registry.js';
import { needs } from '../support/needs.js';
import { bundled, clip, receiptOf, run, tempDir } from '../support/run-clip.js';

const FILE = '/etc/debian_version';

test('push, find, read, pull and prefetch against docker-registry', async (t) => {
  if (!needs(t, 'docker-registry', 'skopeo')) return;
  const registry = await startDockerRegistry({ htpasswd: { username: 'me', password: 'secret' } });
  t.after(() => registry.stop());
  const image = `${registry.host}/demo/app:1`;
  const login = { username: 'me', password: 'secret' };
  await copyToRegistry('', image, { ...login, from: bundled });
  const env = { CLIP_USERNAME: 'me', CLIP_PASSWORD: 'secret' };
  const cacheDir = await tempDir(t);
  const other = await tempDir(t);

  const built = await clip(['index', bundled], { cacheDir, env });
  assert.equal(built.status, 0, built.stderr);
  const index = built.stdout.toString().trim();
  const refused = await clip(['push', index, image], { cacheDir });
  assert.equal(refused.status, 4, refused.stderr);
  // An image in a layout has no registry to push to.
  const nowhere = await clip(['push', index], { cacheDir, env });
  assert.equal(nowhere.status, 2, nowhere.stderr);

  // skopeo may have written another manifest than the layout's; the index is of the registry's.
  const pushed = await clip(['push', image, '--json', '--stats', 'json'], { cacheDir, env });
  assert.equal(pushed.status, 0, pushed.stderr);
  const about = JSON.parse(pushed.stdout.toString());
  assert.ok(about.blobs.every((blob: { uploaded: boolean }) => blob.uploaded));
  const again = await clip(['push', image, '--json'], { cacheDir, env });
  const second = JSON.parse(again.stdout.toString());
  assert.deepEqual([second.reference, second.uploadedBytes], [about.reference, 0]);

  const cold = await clip(['cat', image, FILE, '--stats', 'json'], { cacheDir: other, env });
  assert.equal(cold.stdout.toString(), '12.15\n');
  const receipt = receiptOf(cold) as unknown as Receipt;
  assert.deepEqual(
    [receipt.index.origin, receipt.index.identity, receipt.index.artifact],
    ['registry', about.identity, about.reference],
  );
  assert.deepEqual([receipt.scan.requests, receipt.scan.inflates], [0, 0]);
  // A 401, manifest, referrers, tag, artifact; the head, three sections at most, one span.
  assert.ok(receipt.requests <= 10, `${receipt.requests} requests`);
  const text = await clip(['cat', image, FILE, '--stats', 'text'], { cacheDir: other, env });
  assert.match(text.stderr, /registry index sha256:[0-9a-f]{12} of 127\.0\.0\.1:\d+\/demo\/app/);

  const fetched = await clip(['prefetch', image, '/usr/bin/**', '--stats', 'json'], { cacheDir: other, env });
  assert.deepEqual([fetched.status, fetched.stdout.length], [0, 0], fetched.stderr);
  const warmed = receiptOf(fetched) as unknown as Receipt;
  assert.ok(warmed.prefetched > 0);
  assert.deepEqual([warmed.lookups, warmed.misses, warmed.inflates], [0, 0, 0]);
  const warm = await clip(['cat', image, '/usr/bin/cat', '--stats', 'json'], { cacheDir: other, env });
  const after = receiptOf(warm) as unknown as Receipt;
  assert.deepEqual([after.misses, after.inflates, after.requests], [0, 0, 2]);
  const useless = await clip(['prefetch', image, '--no-cache'], { cacheDir: other, env });
  assert.equal(useless.status, 2);

  for (const index of ['local', 'build']) {
    const refused = await clip(['pull', image, '--index', index], { cacheDir: other, env });
    assert.equal(refused.status, 2, refused.stderr);
  }
  const pulled = await clip(['pull', image, '--json'], { cacheDir: other, env });
  assert.equal(pulled.status, 0, pulled.stderr);
  assert.equal(JSON.parse(pulled.stdout.toString()).identity, about.identity);
  const local = await clip(['cat', image, FILE, '--index', 'local', '--stats', 'json'], {
    cacheDir: other,
    env,
  });
  assert.equal((receiptOf(local) as unknown as Receipt).index.origin, 'store');
});

interface Receipt {
  requests: number;
  lookups: number;
  misses: number;
  inflates: number;
  prefetched: number;
  scan: { requests: number; inflates: number };
  index: { origin: string; identity: string; artifact?: string };
}

test('five who push different indexes at the same time to docker-registry: all are found', async (t) => {
  if (!needs(t, 'docker-registry', 'skopeo')) return;
  const registry = await startDockerRegistry();
  t.after(() => registry.stop());
  const image = `${registry.host}/demo/app:1`;
  await copyToRegistry('', image, { from: bundled });
  const cacheDir = await tempDir(t);
  const spacings = ['256K', '512K', '1M', '2M', '4M'];
  const pushes = spacings.map(async (spacing) => {
    const output = `${cacheDir}/${spacing}.clip`;
    const built = await clip(['index', image, '-o', output, '--spacing', spacing], { cacheDir });
    assert.equal(built.status, 0, built.stderr);
    const pushed = await clip(['push', output, image, '--json'], { cacheDir });
    assert.equal(pushed.status, 0, pushed.stderr);
    return JSON.parse(pushed.stdout.toString()) as { reference: string; subject: string };
  });
  const pushed = await Promise.all(pushes);
  const raw = await run('skopeo', [
    'inspect',
    '--raw',
    '--tls-verify=false',
    `docker://${registry.host}/demo/app:sha256-${pushed[0]!.subject.slice(7)}`,
  ]);
  const { manifests } = JSON.parse(raw.stdout.toString()) as { manifests: { digest: string }[] };
  assert.deepEqual(
    manifests.map(({ digest }) => digest).sort(),
    pushed.map(({ reference }) => reference.slice(reference.indexOf('@') + 1)).sort(),
  );
});
