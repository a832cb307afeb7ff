// What `npm pack` makes, installed into an empty prefix without development dependencies, does the README's first command.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, run, tempDir } from '../support/run-clip.js';

test('the packed package works on its own: clip bench --reads 50', async (t) => {
  const dir = await tempDir(t);
  // Scripts are left out: they would build again under the tests that run beside this one.
  const packed = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', dir], { cwd: root });
  assert.equal(packed.status, 0, packed.stderr);
  const archive = (await readdir(dir)).find((name) => name.endsWith('.tgz'));
  assert.ok(archive);
  const prefix = join(dir, 'prefix');
  const installed = await run(
    'npm',
    ['install', '--prefix', prefix, '--global', '--omit=dev', '--no-audit', '--no-fund', join(dir, archive)],
    { cwd: dir },
  );
  assert.equal(installed.status, 0, installed.stderr);
  const env = { ...process.env, HOME: dir, CLIP_CACHE_DIR: join(dir, 'cache') };
  const bench = await run(join(prefix, 'bin/clip'), ['bench', '--reads', '50', '--json'], { cwd: dir, env });
  assert.equal(bench.status, 0, bench.stderr);
  const { strategies } = JSON.parse(bench.stdout.toString());
  assert.deepEqual([strategies.naive.inflates, strategies.layer.inflates], [50, 1]);
  const library = await run(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      "import('@oci-clip/clip').then((clip) => console.log(typeof clip.openImage))",
    ],
    { cwd: join(prefix, 'lib/node_modules/@oci-clip/clip'), env },
  );
  assert.equal(library.stdout.toString().trim(), 'function', library.stderr);
});
