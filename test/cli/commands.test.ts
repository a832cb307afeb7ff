import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs, { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { rowsOf, section } from '../support/cli-docs.js';
import { has } from '../support/needs.js';
import { LARGE, SPARSE_SIZE, writeOddImage } from '../support/odd-image.js';
import { bundled, clip, type Run, receiptOf, root } from '../support/run-clip.js';

const folder = mkdtempSync(join(tmpdir(), 'clip-commands-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const image = writeOddImage(folder);
const cacheDir = join(folder, 'cache');
const docs = fs.readFileSync(join(root, 'docs/cli.md'), 'utf8');

/** Runs clip and wants this status. */
async function run(status: number, ...args: string[]): Promise<Run> {
  const result = await clip(args, { cacheDir });
  assert.equal(result.status, status, `${args.join(' ')}\n${result.stderr}`);
  return result;
}

async function text(...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(0, ...args);
  assert.equal(stderr, '');
  return stdout.toString('utf8');
}

/** Field names in the tables below a heading of docs/cli.md; `a`, `b` in one cell are two. */
function documented(heading: string): string[] {
  return rowsOf(section(docs, heading)).flatMap(([cell]) =>
    cell!.split(', ').map((name) => name.replaceAll('`', '')),
  );
}

/** Names of all fields, with those of nested objects as `a.b`, and of objects in arrays likewise. */
function fieldsOf(value: unknown, prefix = ''): string[] {
  if (Array.isArray(value))
    return value.flatMap((item) => (typeof item === 'object' ? fieldsOf(item, prefix) : []));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    `${prefix}${name}`,
    ...fieldsOf(inner, `${prefix}${name}.`),
  ]);
}

test('index prints the path of the index and nothing else; the store is used afterwards', async () => {
  const path = (await text('index', image)).trimEnd();
  assert.ok(path.startsWith(join(cacheDir, 'index')));
  assert.ok(fs.statSync(path).isFile());
  assert.equal(await text('cat', path, '/etc/motd'), 'hello\n');
  const { stderr } = await run(0, 'ls', image, '--stats', 'json');
  const receipt = receiptOf({ stderr } as Run);
  assert.deepEqual((receipt.index as unknown as { origin: string }).origin, 'store');
});

test('index --json and -o', async () => {
  const output = join(folder, 'odd.clip');
  const json = JSON.parse(await text('index', image, '--json', '-o', output));
  assert.equal(json.schema, 1);
  assert.equal(json.path, output);
  assert.equal(json.indexSize, fs.statSync(output).size);
  assert.deepEqual(Object.keys(json).sort(), documented('### clip index --json').sort());
  const { layers } = JSON.parse(await text('info', '--json', output));
  for (const layer of layers) delete layer.checkpoints;
  assert.deepEqual(json.layers, layers);
});

test('cat: bytes, several paths, links, parts', async () => {
  assert.equal(await text('cat', image, 'etc/motd', '/missing/parents/file'), 'hello\ndeep\n');
  assert.equal(await text('cat', image, '/abs'), 'hello\n');
  assert.equal(await text('cat', image, '/dirlink/motd'), 'hello\n');
  assert.equal(await text('cat', image, '/dirlink/../etc/./motd'), 'hello\n');
  assert.equal(await text('cat', image, '/empty'), '');
  assert.ok((await run(0, 'cat', image, '/large')).stdout.equals(LARGE));
  const part = await run(0, 'cat', image, '/large', '--offset', '300000', '--length', '5000');
  assert.ok(part.stdout.equals(LARGE.subarray(300_000, 305_000)));
  assert.equal(await text('cat', image, '/etc/motd', '--offset', '100'), '');
  assert.equal(await text('cat', image, '/etc/motd', '--length', '0'), '');
  const sparse = (await run(0, 'cat', image, '/sparse')).stdout;
  assert.equal(sparse.length, SPARSE_SIZE);
  assert.equal(sparse.subarray(1_000_000, 1_000_006).toString(), 'middle');
  assert.ok(sparse.subarray(0, 1_000_000).every((byte) => byte === 0));
});

test('cat takes names as ls prints them, and names with backslashes as they are', async () => {
  const names = (await text('ls', image)).trimEnd().split('\n');
  assert.ok(names.includes('new\\nline'));
  assert.ok(names.includes('caf\\xe9'));
  assert.ok(names.includes('back\\\\x41slash'));
  for (const name of ['new\\nline', 'caf\\xe9', 'back\\\\x41slash', 'back\\x41slash', 'new\nline']) {
    assert.match(await text('cat', image, name), /^(newline|latin1|literal)\n$/, name);
  }
});

test('cat goes on after a path that fails and ends with the first status', async () => {
  const { stdout, stderr } = await run(3, 'cat', image, '/etc/nope/x', '/etc', '/etc/motd');
  assert.equal(stdout.toString(), 'hello\n');
  assert.match(stderr, /^clip: \/etc\/nope\/x .*parent is \/etc \(PATH_NOT_FOUND\)\nhint: /);
  assert.match(stderr, /\(IS_DIRECTORY\)/);
  // More than are read at once; what fails is told in its turn.
  const names = Array.from({ length: 12 }, (_, i) => [
    '/etc/motd',
    `/nope-${i}`,
    i % 4 === 0 ? '/large' : '/suid',
  ]);
  const many = await run(3, 'cat', image, ...names.flat());
  const bytes = names.map(([, , last]) => [
    Buffer.from('hello\n'),
    last === '/large' ? LARGE : Buffer.from('suid\n'),
  ]);
  assert.ok(many.stdout.equals(Buffer.concat(bytes.flat())));
  const told = many.stderr.match(/\/nope-[0-9]+ does not exist/g);
  assert.deepEqual(
    told,
    names.map(([, name]) => `${name} does not exist`),
  );
  assert.match((await run(1, 'cat', image, '/etc')).stderr, /directory.*\(IS_DIRECTORY\)/);
  for (const path of ['/console', '/pipe']) {
    assert.match((await run(1, 'cat', image, path)).stderr, /\(NOT_A_FILE\)/);
  }
  assert.match((await run(3, 'cat', image, '/loop')).stderr, /\(LINK_LOOP\)/);
  assert.match((await run(3, 'cat', image, '/dangling')).stderr, /\(DANGLING_LINK\)/);
  await run(3, 'cat', image, '/etc/gone');
  await run(2, 'cat', image, '/a', '/b', '--offset', '1');
});

test('ls: names, long, recursive, of a file, of a link', async () => {
  assert.equal(await text('ls', image, '/etc'), 'motd\n');
  assert.equal(await text('ls', image, '/dirlink'), 'motd\n');
  assert.equal(await text('ls', image, '/etc/motd'), 'motd\n');
  const long = await text('ls', '-l', image);
  assert.match(long, /^-rw------- 1 ann +users +0 1970-01-01T00:00:00Z empty$/m);
  assert.match(long, /^-rwsr-xr-x 2 0 +0 +5 1969-12-31T23:59:58Z suid$/m);
  assert.match(long, /^-rwsr-xr-x 2 .* suid\.linked$/m);
  assert.match(long, /^drwxrwxrwt 1 .* tmp$/m);
  assert.match(long, /^crw--w---- 1 .* 5, 1 .* console$/m);
  assert.match(long, /^prw------- 1 .* pipe$/m);
  assert.match(long, /^lrwxrwxrwx 1 .* abs -> \/etc\/motd$/m);
  assert.match(await text('ls', '-l', image, '/dirlink'), /^l.* dirlink -> etc\n$/);
  assert.equal(await text('ls', image, '/dangling'), 'dangling\n');
  assert.equal(JSON.parse(await text('ls', '--json', image, '/dangling')).link, 'nowhere/at/all');
  for (const path of ['/dangling/', '/dangling/.', '/dangling/x']) {
    assert.match((await run(3, 'ls', image, path)).stderr, /\(DANGLING_LINK\)/, path);
    assert.match((await run(3, 'ls', '-l', image, path)).stderr, /\(DANGLING_LINK\)/, path);
  }
  const all = (await text('ls', '-R', image)).trimEnd().split('\n');
  assert.ok(all.indexOf('/missing') < all.indexOf('/missing/parents'));
  assert.ok(all.includes('/missing/parents/file'));
  assert.equal(await text('ls', '-R', image, '/missing'), '/missing/parents\n/missing/parents/file\n');
  await run(3, 'ls', image, '/nope');
});

test('ls --json: one object a line, with the documented fields', async () => {
  const lines = (await text('ls', '-R', '--json', image)).trimEnd().split('\n');
  const nodes = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    nodes.map((node) => node.path),
    (await text('ls', '-R', image)).trimEnd().split('\n'),
  );
  const names = new Set(nodes.flatMap((node) => Object.keys(node)));
  assert.deepEqual([...names].sort(), documented('### clip ls --json').sort());
  const suid = nodes.find((node) => node.path === '/suid');
  const linked = nodes.find((node) => node.path === '/suid.linked');
  assert.equal(suid.mode, '4755');
  assert.equal(suid.mtime, '1969-12-31T23:59:58.500000000Z');
  assert.equal(suid.inode, linked.inode);
  assert.equal(Buffer.from(suid.xattrs['user.note'], 'base64').toString(), 'plain text');
  assert.equal(nodes.find((node) => node.path === '/missing').layer, null);
});

test('stat: text and JSON, links followed only on request', async () => {
  const suid = await text('stat', image, '/suid');
  assert.match(suid, /^ {2}Path: \/suid\n {2}Type: regular file\n {2}Size: 5 {2}Links: 2/);
  assert.match(suid, /Mode: 4755\/-rwsr-xr-x/);
  assert.match(suid, /Modify: 1969-12-31T23:59:58\.500000000Z/);
  assert.match(suid, /Layer: sha256:[0-9a-f]{64} \(2 of 2\)/);
  assert.match(suid, /Xattr: security\.capability = 0x01000002ff\n/);
  assert.match(suid, /Xattr: user\.note = "plain text"\n/);
  assert.match(await text('stat', image, '/abs'), /Path: \/abs -> \/etc\/motd\n {2}Type: symbolic link/);
  assert.match(await text('stat', '-L', image, '/abs'), /Path: \/etc\/motd\n/);
  assert.match(await text('stat', image, '/console'), /character device {2}Device: 5, 1/);
  const { stdout } = await run(3, 'stat', '--json', image, '/', '/nope', '/etc/motd');
  const json = JSON.parse(stdout.toString());
  assert.equal(json.schema, 1);
  assert.deepEqual(
    json.nodes.map((node: { path: string }) => node.path),
    ['/', '/etc/motd'],
  );
});

test('info --platforms: every platform once, without building an index', async () => {
  const json = JSON.parse(await text('info', '--platforms', '--json', bundled));
  assert.deepEqual(json, {
    schema: 1,
    target: bundled,
    image: { source: bundled },
    platforms: ['linux/amd64'],
  });
  assert.deepEqual(
    [...new Set(fieldsOf(json))].sort(),
    documented('### clip info --platforms --json').sort(),
  );
  assert.equal(await text('info', '--platforms', bundled), 'linux/amd64\n');
});

test('info: the documented fields, and text', async () => {
  const json = JSON.parse(await text('info', '--json', image));
  assert.deepEqual([...new Set(fieldsOf(json))].sort(), documented('### clip info --json').sort());
  assert.equal(json.layers.length, 2);
  assert.equal(json.index.origin, 'store');
  const plain = await text('info', bundled);
  assert.match(plain, /^Platform: +linux\/amd64$/m);
  assert.match(plain, /^Created: +2026-11-01T00:00:00Z$/m);
});

test('extract: paths and globs below DIR, warnings for what could not be carried over', async () => {
  const out = join(folder, 'out');
  const { stdout, stderr } = await run(0, 'extract', image, '-C', out, '--stats', 'json');
  assert.equal(stdout.length, 0);
  assert.equal(fs.readFileSync(join(out, 'etc/motd'), 'utf8'), 'hello\n');
  assert.ok(fs.readFileSync(join(out, 'large')).equals(LARGE));
  assert.equal(fs.readlinkSync(join(out, 'abs')), '/etc/motd');
  assert.equal(fs.statSync(join(out, 'suid')).ino, fs.statSync(join(out, 'suid.linked')).ino);
  assert.equal(fs.statSync(join(out, 'tmp')).mode & 0o7777, 0o1777);
  assert.ok(!fs.existsSync(join(out, 'etc/gone')));
  assert.match(stderr, /clip: warning: .*1 device/);
  assert.match(stderr, /1 FIFO/);
  assert.equal(receiptOf({ stderr } as Run).type, 'receipt');

  const some = join(folder, 'some');
  await run(0, 'extract', image, '/etc', '**/fi*', '-C', some, '-q');
  assert.deepEqual(fs.readdirSync(some).sort(), ['etc', 'missing']);
  assert.equal(fs.readFileSync(join(some, 'missing/parents/file'), 'utf8'), 'deep\n');
  assert.match((await run(3, 'extract', image, '/nope', '-C', some)).stderr, /\/nope/);
  assert.match((await run(2, 'extract', image)).stderr, /-C DIR.*\(USAGE\)/);
});

test('extract replaces links that stand in the way and writes nothing through them', async () => {
  const outside = join(folder, 'outside');
  fs.mkdirSync(outside);
  fs.writeFileSync(join(outside, 'motd'), 'mine');
  const out = join(folder, 'trapped');
  fs.mkdirSync(out);
  fs.symlinkSync(outside, join(out, 'etc'));
  fs.symlinkSync(join(outside, 'motd'), join(out, 'empty'));
  await run(0, 'extract', image, '-C', out, '-q');
  assert.equal(fs.readFileSync(join(outside, 'motd'), 'utf8'), 'mine');
  assert.deepEqual(fs.readdirSync(outside), ['motd']);
  assert.equal(fs.readFileSync(join(out, 'etc/motd'), 'utf8'), 'hello\n');
  assert.equal(fs.readFileSync(join(out, 'empty'), 'utf8'), '');
});

test('the receipt is the last line on stderr, also after a failure, with the documented fields', async () => {
  const { stderr } = await run(3, 'cat', image, '/etc/motd', '/nope', '--stats', 'json');
  const receipt = receiptOf({ stderr } as Run);
  assert.deepEqual(Object.keys(receipt).sort(), documented('### The receipt').sort());
  assert.equal(receipt.reads, 1);
  assert.equal(receipt.bytesRead, 6);
  assert.equal((await run(0, 'cat', image, '/etc/motd', '--stats', 'none')).stderr, '');
  const spoken = (await run(0, 'cat', image, '/etc/motd', '--stats', 'text')).stderr;
  assert.match(spoken, /^clip: 1 read \(6 B\), .*\n$/);
});

test('a warm read needs neither requests nor inflates', async () => {
  const path = (await text('index', image)).trimEnd();
  await run(0, 'cat', path, '/large');
  const { stderr } = await run(0, 'cat', path, '/large', '--stats', 'json', '--offline');
  const { inflates, requests, fetchedBytes, misses } = receiptOf({ stderr } as Run);
  assert.deepEqual([inflates, requests, fetchedBytes, misses], [0, 0, 0, 0]);
});

test('the log tells of inflating, in JSON too', async () => {
  const fresh = { cacheDir: join(folder, 'fresh') };
  const args = [
    'cat',
    image,
    '/etc/motd',
    '--log-level',
    'debug',
    '--log-format',
    'json',
    '--strategy',
    'layer',
  ];
  const { stderr } = await clip(args, fresh);
  const messages = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).message);
  for (const wanted of [
    'decompressing layer (first access)',
    'layer decompression complete',
    'layer decompressed and cached',
    'Inflate CPU recorded',
    'Layer access count',
  ]) {
    assert.ok(messages.includes(wanted), wanted);
  }
});

test('usage errors: status 2, nothing on stdout', async () => {
  for (const args of [
    ['cta'],
    ['cat'],
    ['cat', image],
    ['ls', image, '--nope'],
    ['ls', 'Not/A Reference!'],
    [],
  ]) {
    const { stdout, stderr } = await run(2, ...args);
    assert.equal(stdout.length, 0);
    assert.match(stderr, /\(USAGE\)|\(INVALID_REFERENCE\)|Usage:/);
  }
  assert.match((await run(0, '--version')).stdout.toString(), /^\d+\.\d+\.\d+\n$/);
  assert.match((await run(0, 'help')).stdout.toString(), /Usage: clip/);
});

test('a closed pipe is quiet and a success', () => {
  const command = `"${process.execPath}" "${join(root, 'bin/clip.js')}" cat ${image} /large /large /large; echo $? >&2`;
  const { stdout, stderr } = spawnSync('bash', ['-c', `{ ${command}; } | head -c 1`], {
    env: { ...process.env, CLIP_CACHE_DIR: cacheDir },
  });
  assert.ok(stdout.equals(LARGE.subarray(0, 1)));
  assert.equal(stderr.toString(), '0\n');
});

const NON_BLOCKING = `
import fcntl, os, subprocess, sys
reading, writing = os.pipe()
fcntl.fcntl(writing, fcntl.F_SETFL, fcntl.fcntl(writing, fcntl.F_GETFL) | os.O_NONBLOCK)
program = subprocess.Popen(sys.argv[1:], stdout=writing, stderr=subprocess.PIPE)
os.close(writing)
os.read(reading, 1000)
os.close(reading)
sys.stderr.buffer.write(program.stderr.read())
sys.exit(program.wait())
`;

test('so is one that does not block', { skip: has('python3') ? false : 'needs python3' }, () => {
  const args = ['cat', image, '/large', '/large', '/large', '/large'];
  const { status, stderr } = spawnSync(
    'python3',
    ['-c', NON_BLOCKING, process.execPath, join(root, 'bin/clip.js'), ...args],
    { env: { ...process.env, CLIP_CACHE_DIR: cacheDir } },
  );
  assert.equal(stderr.toString(), '');
  assert.equal(status, 0);
});

test('bench: the counts of the contract, on the bundled image', async () => {
  const { stdout, stderr } = await run(0, 'bench', '--reads', '50', '--json', '-q');
  assert.equal(stderr, '');
  const json = JSON.parse(stdout.toString());
  assert.deepEqual(Object.keys(json).sort(), documentedTop('### clip bench --json'));
  const { naive, layer, span } = json.strategies;
  assert.deepEqual(Object.keys(json.strategies), ['naive', 'layer', 'span']);
  assert.equal(naive.inflates, 50);
  assert.deepEqual([naive.lookups, naive.misses], [50, 50]);
  assert.equal(layer.inflates, 1);
  assert.equal(layer.hits.memory + layer.hits.disk, 49);
  assert.ok(span.inflates >= 1 && span.inflatedBytes < naive.inflatedBytes);
  for (const each of [naive, layer, span]) {
    assert.equal(each.reads, 50);
    assert.equal(each.bytesRead, naive.bytesRead);
    assert.equal(each.lookups, each.hits.memory + each.hits.disk + each.hits.remote + each.misses);
    const {
      type: _,
      index: __,
      ...receipt
    } = Object.fromEntries(documented('### The receipt').map((name) => [name, 1]));
    assert.deepEqual(Object.keys(each).sort(), [...Object.keys(receipt), 'latency', 'speedup'].sort());
  }
  assert.deepEqual(Object.keys(span.latency), ['p50', 'p90', 'p99', 'max']);

  const baseline = join(folder, 'baseline.json');
  fs.writeFileSync(baseline, stdout);
  const again = await run(0, 'bench', '--reads', '50', '--baseline', baseline, '--max-inflates', 'layer=1');
  assert.match(again.stdout.toString(), /^naive .*\n^layer .*\n^span /m);
  assert.match(again.stderr, /^clip: naive inflates .* for 50 reads$/m);
  json.strategies.layer.inflates = 0;
  fs.writeFileSync(baseline, JSON.stringify(json));
  const worse = await run(7, 'bench', '--reads', '50', '--baseline', baseline, '--strategy', 'layer', '-q');
  assert.match(worse.stderr, /layer has 1 inflates where the baseline has 0 \(GATE_FAILED\)/);
  const gate = await run(
    7,
    'bench',
    '--reads',
    '5',
    '--strategy',
    'span',
    '--max-requests',
    '0',
    '--max-inflates',
    '0',
    '-q',
  );
  assert.match(gate.stderr, /span has \d+ where --max-inflates allows 0/);
  assert.match(gate.stdout.toString(), /^STRATEGY .*\nspan /m, 'the table that the gate is about is printed');
  const other = await run(2, 'bench', '--baseline', baseline, '--reads', '5', '--strategy', 'layer', '-q');
  assert.equal(other.stdout.toString(), '', 'it is said before the reads');
  await run(2, 'bench', '--strategy', 'span', '--max-inflates', 'layer=1');
});

function documentedTop(heading: string): string[] {
  return documented(heading)
    .filter((name) => !name.includes('.'))
    .sort();
}

test('bench: named files, many readers, naive skipped above its limit', async () => {
  const args = [
    'bench',
    image,
    '--file',
    '/large',
    '--file',
    '/etc/motd',
    '--reads',
    '20',
    '--concurrency',
    '10',
  ];
  const { stdout, stderr } = await run(0, ...args, '--naive-limit', '1K', '--json', '--stats', 'none');
  const json = JSON.parse(stdout.toString());
  assert.deepEqual(json.files.slice(0, 3), ['/large', '/etc/motd', '/large']);
  assert.deepEqual(Object.keys(json.strategies), ['layer', 'span']);
  assert.equal(json.strategies.layer.inflates, 1);
  assert.equal(json.strategies.span.speedup, null);
  assert.match(stderr, /over --naive-limit 1\.0 KiB: skipped/);
  const asked = await run(0, ...args, '--naive-limit', '1K', '--strategy', 'naive', '--json', '-q');
  assert.equal(JSON.parse(asked.stdout.toString()).strategies.naive.inflates, 20);
  assert.match((await run(1, 'bench', image, '--file', '/etc')).stderr, /\(IS_DIRECTORY\)/);
});

test('bench: names the image that was asked for, wherever its index was made', async () => {
  const copy = join(folder, 'copy');
  fs.cpSync(join(root, 'fixtures/debian-small'), copy, { recursive: true });
  const heading = async (target: string): Promise<string> =>
    (await run(0, 'bench', target, '--reads', '1', '-q')).stdout.toString().split('\n')[0]!;
  assert.ok((await heading(bundled)).includes(` of ${bundled} (`));
  assert.ok((await heading(`oci:${copy}`)).includes(` of oci:${copy} (`));
});
