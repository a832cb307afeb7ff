// A file of 300 MB passes through `clip cat` in bounded memory, from the registry and from the caches.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeLayout } from '../support/layout-builder.js';
import { startTestRegistry } from '../support/registry.js';
import { root, tempDir } from '../support/run-clip.js';
import { member, tar } from '../support/tar-builder.js';
import { noise } from '../support/test-image.js';

const SIZE = 300_000_000;
/** Less than Node and the file together (50 + 286 MiB): the file is not held whole. Most of it is garbage not yet collected. */
const MOST_RSS = 310 << 20;
/** Not ru_maxrss: that begins with the size of the process that started this one. */
const PEAK = `import fs from "node:fs";process.on("exit",()=>fs.writeSync(2,fs.readFileSync("/proc/self/status")))`;

interface Measured {
  status: number | null;
  digest: string;
  size: number;
  /** Bytes. */
  peak: number;
}

function measure(args: readonly string[], cacheDir: string): Promise<Measured> {
  return new Promise((resolve) => {
    const argv = [
      '--import',
      `data:text/javascript,${encodeURIComponent(PEAK)}`,
      join(root, 'bin/clip.js'),
      ...args,
    ];
    const env = { PATH: process.env.PATH, HOME: cacheDir, CLIP_CACHE_DIR: cacheDir };
    const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const hash = createHash('sha256');
    let size = 0;
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      hash.update(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.on('close', (status) => {
      const peak = Number(/VmHWM:\s*(\d+) kB/.exec(errors)?.[1] ?? Number.NaN) * 1024;
      resolve({ status, digest: hash.digest('hex'), size, peak });
    });
  });
}

const skip = process.platform === 'linux' ? false : '/proc tells the peak on Linux only';

test('cat of a 300 MB file in bounded memory', { skip }, async (t) => {
  const work = await tempDir(t);
  const block = Buffer.from(noise(100_000)).toString('base64').slice(0, 125_000);
  const content = Buffer.alloc(SIZE, block, 'latin1');
  const wanted = createHash('sha256').update(content).digest('hex');
  const layout = join(work, 'layout');
  writeLayout(layout, [tar(member({ name: 'large' }, content))]);
  const registry = await startTestRegistry();
  t.after(() => registry.stop());
  await registry.addLayout('large', layout, '1');
  rmSync(layout, { recursive: true });
  const cacheDir = join(work, 'cache');
  const index = join(work, 'large.clip');
  const built = await measure(['index', `${registry.host}/large:1`, '-o', index], cacheDir);
  assert.equal(built.status, 0);
  for (const run of ['cold', 'warm']) {
    const read = await measure(['cat', index, '/large', '--memory-cache', '16MiB'], cacheDir);
    assert.deepEqual([read.status, read.size, read.digest], [0, SIZE, wanted], run);
    assert.ok(read.peak < MOST_RSS, `${run}: ${Math.round(read.peak / (1 << 20))} MiB`);
    t.diagnostic(`${run}: peak ${Math.round(read.peak / (1 << 20))} MiB`);
  }
  t.diagnostic(`index: peak ${Math.round(built.peak / (1 << 20))} MiB`);
});
