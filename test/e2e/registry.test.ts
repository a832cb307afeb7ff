// The built program against Debian's docker-registry, filled by skopeo, held against what umoci unpacks. Requests, bytes and
// inflates are asserted, never timed.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { copyToRegistry, type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js';
import { has } from '../support/needs.js';
import { bundled, clip, receiptOf, root, run } from '../support/run-clip.js';

const tools = ['docker-registry', 'skopeo', 'umoci'].filter((program) => !has(program));
const skip =
  tools.length > 0
    ? `needs ${tools.join(', ')}`
    : process.getuid?.() !== 0
      ? 'needs root for umoci unpack'
      : false;

describe('an image in docker-registry', { skip }, () => {
  let work: string;
  let registry: DockerRegistry;
  let image: string;
  let rootfs: string;
  const warm = () => join(work, 'cache');

  before(async () => {
    work = mkdtempSync(join(tmpdir(), 'clip-e2e-'));
    registry = await startDockerRegistry();
    image = `${registry.host}/debian-small:1`;
    await copyToRegistry(join(root, 'fixtures/debian-small:latest'), image);
    const unpacked = await run('umoci', [
      'unpack',
      '--image',
      join(root, 'fixtures/debian-small:latest'),
      join(work, 'bundle'),
    ]);
    assert.equal(unpacked.status, 0, unpacked.stderr);
    rootfs = join(work, 'bundle/rootfs');
  });

  after(async () => {
    await registry?.stop();
    if (work) rmSync(work, { recursive: true, force: true });
  });

  test('index prints the path of a small, reproducible index', async () => {
    const first = await clip(['index', image], { cacheDir: warm() });
    assert.equal(first.status, 0, first.stderr);
    const path = first.stdout.toString().trim();
    assert.ok(statSync(path).size > 0);
    const again = await clip(['index', image], { cacheDir: join(work, 'other-cache') });
    assert.deepEqual(readFileSync(again.stdout.toString().trim()), readFileSync(path));
  });

  test('cat: a cold read is at most two requests and one inflate, a warm one none', async () => {
    const cacheDir = join(work, 'cold');
    const index = (await clip(['index', image, '-o', join(work, 'cold.clip')], { cacheDir })).stdout
      .toString()
      .trim();
    const path = '/usr/share/zoneinfo/Europe/Paris';
    const cold = await clip(['cat', index, path, '--stats', 'json'], { cacheDir });
    assert.equal(cold.status, 0, cold.stderr);
    assert.deepEqual(cold.stdout, readFileSync(join(rootfs, path)));
    const receipt = receiptOf(cold);
    assert.ok(receipt.requests! <= 2, `${receipt.requests} requests`);
    assert.ok(receipt.fetchedBytes! <= 1 << 20, `${receipt.fetchedBytes} bytes`);
    assert.equal(receipt.inflates, 1);
    const again = receiptOf(await clip(['cat', index, path, '--stats', 'json'], { cacheDir }));
    assert.deepEqual([again.requests, again.inflates, again.misses], [0, 0, 0]);
    assert.deepEqual(again.hits, { memory: 0, disk: 1, remote: 0 });
  });

  test('ls -R --json names just what umoci unpacks, with the same metadata', async () => {
    const listed = await clip(['ls', image, '/', '-R', '--json'], { cacheDir: warm() });
    assert.equal(listed.status, 0, listed.stderr);
    const lines = listed.stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const ours = new Map(lines.map((line) => [line.path, line]));
    const theirs = ['/', ...namesBelow(rootfs).map((name) => `/${name}`)];
    assert.deepEqual(
      [...ours.keys()].filter((path) => path !== '/').sort(),
      theirs.filter((path) => path !== '/').sort(),
    );
    for (const path of theirs) {
      const line = ours.get(path);
      if (!line) continue;
      const stats = lstatSync(join(rootfs, path));
      const type = stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'symlink' : 'file';
      assert.equal(line.type, type, path);
      if (type !== 'symlink') assert.equal(Number.parseInt(line.mode, 8), stats.mode & 0o7777, path);
      if (type === 'file') assert.deepEqual([line.size, line.nlink], [stats.size, stats.nlink], path);
    }
  });

  test('extract of the whole image equals umoci unpack', async () => {
    const out = join(work, 'out');
    const extracted = await clip(['extract', image, '-C', out], { cacheDir: warm() });
    assert.equal(extracted.status, 0, extracted.stderr);
    assert.deepEqual(snapshot(out), snapshot(rootfs));
  });

  test('cat of 40 random files equals umoci unpack, byte for byte', async () => {
    const files = namesBelow(rootfs)
      .filter((name) => lstatSync(join(rootfs, name)).isFile())
      .sort((a, b) => (digest(Buffer.from(a)) < digest(Buffer.from(b)) ? -1 : 1))
      .slice(0, 40);
    const all = await clip(['cat', image, ...files], { cacheDir: warm() });
    assert.equal(all.status, 0, all.stderr);
    assert.equal(
      digest(all.stdout),
      digest(Buffer.concat(files.map((name) => readFileSync(join(rootfs, name))))),
    );
  });

  test('bench: naive inflates 50 times, layer once, and no read is wrong', async () => {
    const bench = await clip(['bench', image, '--reads', '50', '--json'], { cacheDir: join(work, 'bench') });
    assert.equal(bench.status, 0, bench.stderr);
    const { strategies } = JSON.parse(bench.stdout.toString());
    assert.equal(strategies.naive.inflates, 50);
    assert.equal(strategies.layer.inflates, 1);
    assert.deepEqual([strategies.layer.lookups, strategies.layer.misses], [50, 1]);
    const { hits } = strategies.layer;
    assert.equal(hits.memory + hits.disk + hits.remote, 49);
    assert.ok(strategies.span.inflatedBytes <= strategies.layer.inflatedBytes);
  });

  test('the layout and the registry give the same bytes', async () => {
    const fromLayout = await clip(['cat', bundled, '/etc/debian_version'], {
      cacheDir: join(work, 'layout'),
    });
    assert.deepEqual(fromLayout.stdout, readFileSync(join(rootfs, 'etc/debian_version')));
  });
});

/** Every name below a folder with what an unpack is judged by; hard links as groups of names. */
function snapshot(folder: string): string[] {
  const inodes = new Map<number, string>();
  const names = namesBelow(folder).sort();
  return names.map((name) => {
    const path = join(folder, name);
    const stats = lstatSync(path);
    const facts = [name, (stats.mode & 0o177777).toString(8), stats.uid, stats.gid];
    if (stats.isSymbolicLink()) return [...facts, readlinkSync(path)].join(' ');
    if (!stats.isFile()) return facts.join(' ');
    const first = inodes.get(stats.ino) ?? name;
    inodes.set(stats.ino, first);
    return [...facts, stats.size, stats.mtimeMs, digest(readFileSync(path)), `same as ${first}`].join(' ');
  });
}

/** Node's own recursive listing follows links to directories. */
function namesBelow(folder: string, prefix = ''): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const name = join(prefix, entry.name);
    return entry.isDirectory() ? [name, ...namesBelow(folder, name)] : [name];
  });
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
