// What several processes of one machine want of one decoder run: the built program, a registry that lets them all come before it answers.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { needs } from '../support/needs.js';
import { startTestRegistry } from '../support/registry.js';
import { repackImage } from '../support/repack-image.js';
import { clip, receiptOf, root, tempDir } from '../support/run-clip.js';

/** Files of one layer, far from one another. */
const FILES = ['/usr/bin/sed', '/usr/bin/zgrep', '/usr/bin/bashbug', '/usr/bin/grep', '/etc/bash.bashrc'];

/** Reads each file in a process of its own, all at once; returns their receipts and the requests for blobs. */
async function readAll(t: TestContext, layout: string, strategy: string) {
  const dir = await tempDir(t);
  const registry = await startTestRegistry();
  t.after(() => registry.stop());
  await registry.addLayout('demo/app', layout, 'latest');
  const index = join(dir, 'index.clip');
  const image = `${registry.host}/demo/app:latest`;
  const built = await clip(['index', image, '-o', index], { cacheDir: join(dir, 'builder') });
  assert.equal(built.status, 0, built.stderr);
  registry.log.length = 0;
  registry.onRequest(({ kind }) => (kind === 'blob' ? { kind: 'delay', milliseconds: 3000 } : undefined));
  const args = ['--strategy', strategy, '--stats', 'json'];
  const read = (path: string) => clip(['cat', index, path, ...args], { cacheDir: join(dir, 'shared') });
  const runs = await Promise.all(FILES.map(read));
  registry.onRequest(undefined);
  for (const [i, path] of FILES.entries()) {
    const alone = await clip(['cat', index, path], { cacheDir: join(dir, 'alone') });
    assert.equal(runs[i]!.status, 0, runs[i]!.stderr);
    assert.ok(runs[i]!.stdout.equals(alone.stdout) && alone.stdout.length > 0, path);
  }
  const sum = (field: string) => runs.reduce((all, run) => all + Number(receiptOf(run)[field]), 0);
  return { inflates: sum('inflates'), requests: sum('requests') };
}

const bundled = join(root, 'fixtures/debian-small');

test('five processes that want five files of a layer under `layer` decode it once', async (t) => {
  const { inflates, requests } = await readAll(t, bundled, 'layer');
  assert.deepEqual({ inflates, requests }, { inflates: 1, requests: 1 });
});

test('five processes that want five files of one zstd frame decode it once', async (t) => {
  if (!needs(t, 'zstd')) return;
  const dir = await tempDir(t);
  const blob = (digest: string) => readFileSync(join(bundled, 'blobs', digest.replace(':', '/')));
  const top = JSON.parse(readFileSync(join(bundled, 'index.json'), 'utf8'));
  const { layers } = JSON.parse(blob(top.manifests[0].digest).toString()) as { layers: { digest: string }[] };
  const tars = layers.map(({ digest }, i) => {
    const path = join(dir, `${i}.tar`);
    writeFileSync(path, gunzipSync(blob(digest)));
    return path;
  });
  const layout = join(dir, 'layout');
  repackImage(bundled, layout, { tars, packers: ['zstd'] });
  const { inflates, requests } = await readAll(t, layout, 'span');
  assert.equal(requests, 1);
  assert.ok(inflates <= 12, `${inflates} spans`);
});
