// What goes wrong for a user, end to end: each failure is one line with its code and a hint, has its documented status, and
// leaves nothing half-written behind.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { CODES, type ErrorCode } from '../../src/errors.js';
import { type LoggedRequest, startTestRegistry, type TestRegistry } from '../support/registry.js';
import { bundled, clip, type Run, receiptOf, root, tempDir } from '../support/run-clip.js';

const FILE = '/etc/os-release';
let work: string;
/** An index file of the bundled image. */
let index: string;
let content: Buffer;

after(() => rmSync(work, { recursive: true, force: true }));

before(async () => {
  work = mkdtempSync(join(tmpdir(), 'clip-bad-'));
  index = join(work, 'good.clip');
  assert.equal((await clip(['index', bundled, '-o', index], { cacheDir: join(work, 'first') })).status, 0);
  content = (await clip(['cat', index, FILE], { cacheDir: join(work, 'first') })).stdout;
});

/** One line with the code, one with a hint, no data, and the code's documented status. */
function assertFails(run: Run, code: ErrorCode, names: RegExp = /./): void {
  const lines = run.stderr.trimEnd().split('\n');
  assert.equal(lines.length, 2, run.stderr);
  assert.match(lines[0]!, new RegExp(`^clip: .* \\(${code}\\)$`));
  assert.match(lines[0]!, names);
  assert.match(lines[1]!, /^hint: [^A-Z\s]/);
  assert.equal(run.status, CODES[code], run.stderr);
  assert.equal(run.stdout.length, 0);
}

async function identityOf(path: string): Promise<string> {
  const { stdout } = await clip(['info', path, '--json'], { cacheDir: join(work, 'first') });
  return JSON.parse(stdout.toString()).index.identity;
}

/** Every file below a folder. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

function overwrite(path: string, at: number, bytes = 'XX'): void {
  const whole = readFileSync(path);
  whole.write(bytes, at, 'latin1');
  writeFileSync(path, whole);
}

describe('names that lead to nothing', () => {
  const cases: [what: string, args: () => string[], code: ErrorCode, names: RegExp][] = [
    ['an unknown path', () => ['cat', index, '/etc/none/x'], 'PATH_NOT_FOUND', /parent is \/etc /],
    ['a directory for a file', () => ['cat', index, '/etc'], 'IS_DIRECTORY', /\/etc is a directory/],
    [
      'an unknown path to extract',
      () => ['extract', index, '/none', '-C', join(work, 'o'), '-q'],
      'PATH_NOT_FOUND',
      /\/none/,
    ],
    [
      'a glob without a match',
      () => ['extract', index, '/none*', '-C', join(work, 'o'), '-q'],
      'PATH_NOT_FOUND',
      /none/,
    ],
    ['a path with an escape sequence', () => ['cat', index, '/\x1b[31m'], 'PATH_NOT_FOUND', /\/\\x1b\[31m /],
    ['an unknown layout', () => ['ls', 'oci:/nonexistent'], 'NOT_FOUND', /nonexistent/],
    ['a folder for a tar', () => ['ls', `tar:${root}`], 'IS_DIRECTORY', /is a directory, not a file/],
    ['a folder for an archive', () => ['ls', `docker-archive:${root}`], 'IS_DIRECTORY', /is a directory/],
    ['an unknown tag', () => ['ls', `${bundled}:none`], 'NOT_FOUND', /none/],
    [
      'an unknown platform',
      () => ['ls', bundled, '--platform', 'windows/amd64'],
      'PLATFORM_NOT_FOUND',
      /windows\/amd64/,
    ],
    [
      'an index of another platform',
      () => ['ls', index, '--platform', 'linux/arm64'],
      'PLATFORM_NOT_FOUND',
      /for linux\/amd64, not for linux\/arm64/,
    ],
    ['no platform', () => ['ls', bundled, '--platform', 'amd64:linux:x/y'], 'USAGE', /platform/],
    ['an invalid reference', () => ['ls', 'Not An Image'], 'INVALID_REFERENCE', /Not An Image/],
    ['a registry that is down', () => ['ls', '127.0.0.1:1/x:1'], 'NETWORK', /refused/],
    ['a missing index', () => ['ls', './none.clip'], 'INDEX_NOT_FOUND', /none\.clip/],
    ['a folder for an index', () => ['ls', root], 'IS_DIRECTORY', /not an index file/],
    ['a device for an index', () => ['ls', '/dev/null'], 'NOT_A_FILE', /\/dev\/null/],
    ['an unknown flag', () => ['ls', bundled, '--none'], 'USAGE', /--none/],
    ['a wrong value', () => ['cat', index, FILE, '--offset', 'x'], 'USAGE', /--offset/],
    ['a missing argument', () => ['cat', index], 'USAGE', /path/],
  ];
  for (const [what, args, code, names] of cases) {
    test(what, async () => {
      assertFails(await clip(args(), { cacheDir: join(work, 'names') }), code, names);
    });
  }

  test('an index of the platform that is wanted, and of a tar that is for none, is read', async (t) => {
    const [folder, cacheDir] = [await tempDir(t), join(work, 'names')];
    const listed = await clip(['ls', index, '--platform', 'linux/x86_64'], { cacheDir });
    assert.equal(listed.status, 0, listed.stderr);
    const tar = join(folder, 'bare.tar');
    assert.equal(spawnSync('tar', ['-C', folder, '-cf', tar, '--files-from', '/dev/null']).status, 0);
    const bare = join(folder, 'bare.clip');
    assert.equal((await clip(['index', `tar:${tar}`, '-o', bare], { cacheDir })).status, 0);
    assert.equal((await clip(['ls', bare, '--platform', 'linux/arm64'], { cacheDir })).status, 0);
    const there = await clip(['info', index, '--platforms', '--platform', 'linux/arm64'], { cacheDir });
    assert.equal(there.stdout.toString(), 'linux/amd64\n');
  });

  test('a FIFO for an index does not wait for a writer', async () => {
    const fifo = join(work, 'fifo');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    assertFails(await clip(['ls', fifo], { cacheDir: join(work, 'names') }), 'NOT_A_FILE', /fifo/);
  });

  test('an index is not written in place of a FIFO or a folder', async () => {
    const fifo = join(work, 'output');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    for (const output of [fifo, work]) {
      const args = ['index', bundled, '-o', output];
      assertFails(
        await clip(args, { cacheDir: join(work, 'names'), timeout: 20_000 }),
        'NOT_A_FILE',
        /regular/,
      );
    }
    assert.ok(lstatSync(fifo).isFIFO());
  });

  test('a folder that cannot be made ends in an error, not in a loop', async () => {
    const cacheDir = join(work, 'proc');
    for (const args of [
      ['extract', index, FILE, '-q', '-C', '/proc/none/there'],
      ['index', bundled, '-o', '/proc/none/there.clip'],
    ]) {
      assertFails(await clip(args, { cacheDir, timeout: 20_000 }), 'IO', /\/proc\/none/);
    }
  });

  test('bench names the folder for temporary files where it cannot be used', async () => {
    const env = { TMPDIR: '/proc/none' };
    const run = await clip(['bench', bundled, '--reads', '2'], { cacheDir: join(work, 'names'), env });
    assert.equal(run.status, 1);
    assert.match(run.stderr, /^clip: cannot make a folder in \/proc\/none: .*\(IO\)\nhint: set TMPDIR/m);
  });

  test('a folder on standard input is no archive', async () => {
    const folder = openSync(work, 'r');
    const child = spawnSync(process.execPath, [join(root, 'bin/clip.js'), 'index', 'tar:-'], {
      stdio: [folder, 'pipe', 'pipe'],
      env: { ...process.env, CLIP_CACHE_DIR: join(work, 'names') },
    });
    closeSync(folder);
    assert.match(`${child.stderr}`, /standard input is a directory.*\(IS_DIRECTORY\)\nhint: /);
    assert.equal(child.status, 1);
  });

  test('a full disk under stdout: every command says so, --version too', () => {
    const full = openSync('/dev/full', 'w');
    for (const args of [['--version'], ['--help'], ['ls', index]]) {
      const child = spawnSync(process.execPath, [join(root, 'bin/clip.js'), ...args], {
        stdio: ['ignore', full, 'pipe'],
        env: { ...process.env, CLIP_CACHE_DIR: join(work, 'names') },
      });
      assert.match(`${child.stderr}`, /^clip: no space left.*\(NO_SPACE\)\nhint: .*\n$/, args.join(' '));
      assert.equal(child.status, 1);
    }
    closeSync(full);
  });

  test('an image that is a file or folder here is answered with how those are named', async (t) => {
    const cwd = await tempDir(t);
    writeFileSync(join(cwd, 'Image.tar'), 'no image');
    copyFileSync(index, join(cwd, 'Some.clip'));
    mkdirSync(join(cwd, 'Layout'));
    const hintOf = async (...args: string[]) => {
      const run = await clip(args, { cwd, cacheDir: join(cwd, 'cache') });
      assertFails(run, 'INVALID_REFERENCE');
      return run.stderr.trimEnd().split('\n')[1]!;
    };
    assert.match(await hintOf('index', 'Image.tar'), /oci-archive:Image\.tar/);
    assert.match(await hintOf('cat', 'Layout', FILE), /oci:Layout$/);
    for (const command of ['index', 'pull'])
      assert.match(await hintOf(command, 'Some.clip'), /an index already; .*`clip info Some\.clip`/);
    const source = ['--no-cache', '--source', 'Layout'];
    assert.match(await hintOf('cat', 'Some.clip', FILE, ...source), /oci:Layout$/);
  });

  test('an index whose image is gone from where it was: the hint is about that, and one from elsewhere is told', async (t) => {
    const cwd = await tempDir(t);
    const copied = spawnSync('cp', ['-r', bundled.replace(/^oci:/, ''), join(cwd, 'layout')]);
    assert.equal(copied.status, 0);
    const run = (...args: string[]) => clip(args, { cwd, cacheDir: join(cwd, 'cache') });
    assert.equal((await run('index', 'oci:layout', '-o', 'x.clip')).status, 0);
    mkdirSync(join(cwd, 'elsewhere'));
    for (const file of ['index.json', 'oci-layout'])
      copyFileSync(join(cwd, 'layout', file), join(cwd, 'elsewhere', file));
    rmSync(join(cwd, 'layout'), { recursive: true });
    for (const args of [
      ['cat', 'x.clip', FILE],
      ['info', 'x.clip', '--platforms'],
    ]) {
      const gone = await run(...args);
      assertFails(gone, 'NOT_FOUND', /no OCI layout "layout"/);
      assert.match(gone.stderr, /hint: the index x\.clip was built from oci:layout; --source IMAGE/);
    }
    const other = await run('cat', 'x.clip', FILE, '--source', 'oci:elsewhere');
    assertFails(other, 'NOT_FOUND', /sha256:[0-9a-f]{64} is missing/);
    assert.match(other.stderr, /hint: .*another image.*--source/);
  });

  test('an index may have the longest name that a file can have', async (t) => {
    const output = join(await tempDir(t), `${'n'.repeat(250)}.clip`);
    const run = await clip(['index', bundled, '-o', output], { cacheDir: join(work, 'first') });
    assert.equal(run.status, 0, run.stderr);
  });

  test('an index that goes to a file needs no cache folder that can be written', async () => {
    const output = join(work, 'alone.clip');
    const args = ['index', bundled, '-o', output, '--cache-dir', '/proc/none'];
    const run = await clip(args, { cacheDir: join(work, 'names'), timeout: 60_000 });
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.stderr.match(/warning: layers will be scanned again/g)?.length, 1, run.stderr);
    assert.deepEqual(readFileSync(output), readFileSync(index));
  });

  test('the receipt is the last line after a failure too, and counts no read', async () => {
    for (const [path, status] of [
      ['/none', 3],
      ['/etc', 1],
    ] as const) {
      const run = await clip(['cat', index, path, '--stats', 'json'], { cacheDir: join(work, 'names') });
      assert.equal(run.status, status);
      const { type, reads, lookups } = receiptOf(run) as Record<string, unknown>;
      assert.deepEqual({ type, reads, lookups }, { type: 'receipt', reads: 0, lookups: 0 });
    }
  });
});

describe('an index file that is not as it was written', () => {
  test('cut at any length', async () => {
    const { size } = statSync(index);
    for (const length of [0, 1, 47, 200, Math.floor(size / 2), size - 1]) {
      const cut = join(work, 'cut.clip');
      copyFileSync(index, cut);
      truncateSync(cut, length);
      assertFails(await clip(['ls', cut], { cacheDir: join(work, 'damage') }), 'CORRUPT_INDEX', /cut\.clip/);
    }
  });

  test('another kind of file', async () => {
    for (const path of [join(root, 'package.json'), process.execPath]) {
      const run = await clip(['ls', path], { cacheDir: join(work, 'damage') });
      assertFails(run, 'CORRUPT_INDEX', /no clip index/);
      assert.match(run.stderr, /\nhint: .*docker-archive:FILE/, 'an archive is named by its transport');
    }
  });

  test('a newer format is not called corrupt', async () => {
    const newer = join(work, 'newer.clip');
    copyFileSync(index, newer);
    overwrite(newer, 8, '\xff');
    assertFails(await clip(['ls', newer], { cacheDir: join(work, 'damage') }), 'NEWER_INDEX', /newer\.clip/);
  });

  test('a changed byte is found, or was not needed', async () => {
    const changed = join(work, 'changed.clip');
    const { size } = statSync(index);
    let found = 0;
    for (let at = 60; at < size; at += Math.floor(size / 12)) {
      copyFileSync(index, changed);
      overwrite(changed, at);
      const run = await clip(['cat', changed, FILE, '--source', bundled], { cacheDir: join(work, `c${at}`) });
      if (run.status === 0) assert.deepEqual(run.stdout, content);
      else {
        found++;
        assertFails(run, 'CORRUPT_INDEX');
      }
    }
    assert.ok(found > 2, `${found} found`);
  });
});

describe('the store heals', () => {
  test('an index in it that is none is built again, with a warning', async (t) => {
    const cacheDir = await tempDir(t);
    const path = (await clip(['index', bundled], { cacheDir })).stdout.toString().trim();
    const whole = readFileSync(path);
    for (const length of [0, 100]) {
      truncateSync(path, length);
      const run = await clip(['cat', bundled, FILE], { cacheDir });
      assert.deepEqual([run.status, run.stdout], [0, content]);
      assert.match(run.stderr, /^clip: warning: index .* it is built again \(CORRUPT_INDEX\)/);
      assert.deepEqual(readFileSync(path), whole);
    }
  });

  test('a damaged section of a layer is scanned again, wherever the damage is', async (t) => {
    const cacheDir = await tempDir(t);
    const path = (await clip(['index', bundled], { cacheDir })).stdout.toString().trim();
    const whole = readFileSync(path);
    const layers = join(cacheDir, 'index/layers');
    for (const part of [0.02, 0.4, 0.97]) {
      for (const name of readdirSync(layers)) {
        const section = join(layers, name);
        overwrite(section, Math.floor(statSync(section).size * part));
      }
      const run = await clip(['index', bundled], { cacheDir });
      assert.deepEqual([run.status, run.stderr], [0, '']);
      assert.deepEqual(readFileSync(path), whole);
    }
  });

  test('a damaged span is dropped and read anew', async (t) => {
    const cacheDir = await tempDir(t);
    await clip(['cat', index, FILE], { cacheDir });
    const [span, ...more] = filesIn(cacheDir).filter((name) => /sha256\/../.test(name));
    assert.ok(span !== undefined && more.length === 0);
    const damages: (() => void)[] = [
      () => overwrite(join(cacheDir, span), 5),
      () => truncateSync(join(cacheDir, span), 100),
      () => writeFileSync(join(cacheDir, span), ''),
    ];
    for (const damage of damages) {
      damage();
      const run = await clip(['cat', index, FILE, '--stats', 'json'], { cacheDir });
      assert.deepEqual([run.status, run.stdout], [0, content]);
      assert.equal(receiptOf(run).misses, 1);
      const again = receiptOf(await clip(['cat', index, FILE, '--stats', 'json'], { cacheDir }));
      assert.deepEqual([again.misses, again.corrupt], [0, 0]);
    }
  });
});

describe('a registry that misbehaves', () => {
  let registry: TestRegistry;
  let image: string;
  let cacheDir: string;
  after(() => registry.stop());
  before(async () => {
    registry = await startTestRegistry();
    await registry.addLayout('demo', join(root, 'fixtures/debian-small'), '1');
    image = `${registry.host}/demo:1`;
  });

  /** A layer of more than 1 MB. */
  const large = (request: LoggedRequest) => request.kind === 'blob' && request.path.includes('555a4c4b');
  const nothingBuilt = () =>
    assert.deepEqual(
      filesIn(cacheDir).filter(
        (name) => !/^index\/(names|layers)\/[0-9a-z-]+[^/]*$/.test(name) || name.endsWith('.tmp'),
      ),
      [],
    );

  async function index1(t: TestContext): Promise<Run> {
    cacheDir = await tempDir(t);
    return clip(['index', image], { cacheDir });
  }

  test('cut off in mid-blob: a Range request takes up where it broke', async (t) => {
    let cuts = 0;
    registry.log.length = 0;
    registry.onRequest((request) =>
      large(request) && cuts++ === 0 ? { kind: 'drop', after: 1_500_000 } : undefined,
    );
    const run = await index1(t);
    assert.deepEqual([run.status, run.stderr], [0, '']);
    assert.equal(await identityOf(run.stdout.toString().trim()), await identityOf(index));
    const asked = registry.log.filter(large).map((request) => request.range);
    assert.equal(asked.length, 2);
    assert.match(asked[1] ?? '', /^bytes=[1-9][0-9]*-/);
  });

  test('cut off for ever', async (t) => {
    registry.onRequest((request) =>
      large(request) ? { kind: 'drop', after: request.range === undefined ? 1_000_000 : 0 } : undefined,
    );
    assertFails(await index1(t), 'NETWORK');
    nothingBuilt();
  });

  test('bytes that do not match their digest', async (t) => {
    registry.onRequest((request) =>
      large(request)
        ? { kind: 'body', change: (bytes) => Buffer.from(bytes).fill(7, 2_000_000, 2_000_010) }
        : undefined,
    );
    assertFails(await index1(t), 'DIGEST_MISMATCH', /555a4c4b/);
    nothingBuilt();
  });

  test('a login is wanted, or is not enough', async (t) => {
    registry.onRequest(() => ({
      kind: 'status',
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="x"' },
    }));
    assertFails(await index1(t), 'UNAUTHORIZED');
    registry.onRequest(() => ({ kind: 'status', status: 403 }));
    assertFails(await index1(t), 'DENIED');
    nothingBuilt();
  });

  test('errors and nonsense', async (t) => {
    registry.onRequest(() => ({ kind: 'status', status: 500 }));
    assertFails(await index1(t), 'REGISTRY');
    registry.onRequest(() => ({ kind: 'garbage', bytes: 'SSH-2.0-OpenSSH\r\n' }));
    assertFails(await index1(t), 'NETWORK');
    registry.onRequest(() => ({ kind: 'body', change: () => Buffer.from('<html>') }));
    const run = await index1(t);
    assert.ok(run.status === 5 || run.status === 6, run.stderr);
    nothingBuilt();
  });

  test('silence', async (t) => {
    cacheDir = await tempDir(t);
    registry.onRequest((request) => (large(request) ? { kind: 'stall', after: 1000 } : undefined));
    const run = await clip(['index', image, '--idle-timeout', '200ms', '--tries', '2'], { cacheDir });
    assertFails(run, 'TIMEOUT');
    nothingBuilt();
  });

  test('requests: cold by index 1, by image with a stored index 2, warm 0', async (t) => {
    registry.onRequest(undefined);
    const run = await index1(t);
    const path = run.stdout.toString().trim();
    const requests = async (target: string, cache: string) => {
      registry.log.length = 0;
      const read = await clip(['cat', target, FILE, '--stats', 'json'], { cacheDir: cache });
      assert.deepEqual([read.status, read.stdout], [0, content]);
      assert.equal(receiptOf(read).requests, registry.log.length);
      return registry.log.length;
    };
    assert.equal(await requests(path, join(work, 'one')), 1);
    assert.equal(await requests(path, join(work, 'one')), 0);
    // The manifest, to learn what the tag stands for now, and the span.
    assert.equal(await requests(image, cacheDir), 2);
    assert.equal(await requests(image, cacheDir), 1);
  });
});

describe('a full disk', () => {
  /** A file system of `kib` KiB, or undefined where mounting is forbidden. */
  function smallDisk(t: TestContext, kib: number): string | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'clip-disk-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', folder]).status === 0;
    t.after(() => {
      if (mounted) spawnSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true, force: true });
    });
    if (!mounted) {
      t.skip('this machine forbids mounting a small file system');
      return undefined;
    }
    return folder;
  }

  test('index: into the store, and with -o', async (t) => {
    const disk = smallDisk(t, 16);
    if (disk === undefined) return;
    assertFails(await clip(['index', bundled], { cacheDir: disk }), 'NO_SPACE', /no space left/);
    const cacheDir = await tempDir(t);
    assertFails(
      await clip(['index', bundled, '-o', join(disk, 'x.clip')], { cacheDir }),
      'NO_SPACE',
      /x\.clip/,
    );
    assert.deepEqual(
      filesIn(disk).filter((name) => name.endsWith('.tmp') || name.endsWith('.clip')),
      [],
    );
  });

  test('prefetch ends where no cache keeps anything, before all is fetched', async (t) => {
    const disk = smallDisk(t, 256);
    if (disk === undefined) return;
    const remote = ['--remote-cache', 'http://127.0.0.1:1/'];
    const kept = await clip(['prefetch', index, ...remote, '--stats', 'json'], {
      cacheDir: await tempDir(t),
    });
    assert.equal(kept.status, 0, kept.stderr);
    for (const [cacheDir, flags] of [
      [disk, []],
      [await tempDir(t), ['--disk-cache', '0', ...remote]],
    ] as const) {
      const run = await clip(['prefetch', index, ...flags, '--stats', 'json'], { cacheDir });
      assert.equal(run.status, CODES.IO, run.stderr);
      const lines = run.stderr.trimEnd().split('\n');
      assert.ok(lines.includes('clip: no cache keeps what is fetched (IO)'), run.stderr);
      assert.ok(Number(receiptOf(run).prefetched) < Number(receiptOf(kept).prefetched), run.stderr);
    }
  });

  test('extract: no file under a temporary name', async (t) => {
    const disk = smallDisk(t, 256);
    if (disk === undefined) return;
    const run = await clip(['extract', index, '-q', '-C', disk], { cacheDir: await tempDir(t) });
    assertFails(run, 'NO_SPACE');
    assert.deepEqual(
      filesIn(disk).filter((name) => name.includes('.clip-')),
      [],
    );
  });

  test('cat goes on without the disk cache, with one warning', async (t) => {
    const disk = smallDisk(t, 64);
    if (disk === undefined) return;
    const paths = [FILE, '/usr/share/zoneinfo/Europe/Paris', '/usr/share/zoneinfo/Asia/Tokyo'];
    const run = await clip(['cat', index, ...paths], { cacheDir: disk });
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(run.stdout.subarray(0, content.length), content);
    assert.equal(run.stderr.match(/^clip: warning: .*\(NO_SPACE\)$/gm)?.length, 1, run.stderr);
    assert.deepEqual(
      filesIn(disk).filter((name) => /spans\/tmp\//.test(name)),
      [],
    );
  });

  test('a full stdout', async (t) => {
    const cacheDir = await tempDir(t);
    for (const command of [`cat ${index} ${FILE}`, `ls -R ${index}`, `export ${index} /etc`]) {
      const line = `${process.execPath} ${join(root, 'bin/clip.js')} ${command} --cache-dir ${cacheDir} >/dev/full`;
      const run = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
      assert.equal(run.status, 1);
      assert.match(run.stderr, /^clip: no space left to write the output \(NO_SPACE\)\nhint: .*\n$/);
    }
  });
});

test('a file that is larger than the session may write: the hint says what helps', async (t) => {
  const cacheDir = await tempDir(t);
  const limited = (command: string) => {
    const line = `ulimit -f 8; ${process.execPath} ${join(root, 'bin/clip.js')} ${command} -q --no-cache --cache-dir ${cacheDir}`;
    const run = spawnSync('sh', ['-c', line], { encoding: 'utf8', cwd: cacheDir });
    assert.equal(run.status, CODES.IO, run.stderr);
    assert.match(run.stderr, /^clip: .* too large for .*limit of this session.* \(IO\)\nhint: .*\n$/);
    return run.stderr;
  };
  assert.match(limited(`extract ${index} -C out`), /hint: raise the limit .* clip cat reads it\n/);
  assert.match(limited(`export ${index} > out.tar`), /hint: see `ulimit -f`/);
  assert.match(limited(`index ${bundled} --index build -o out.clip`), /hint: see `ulimit -f`/);
  const left = filesIn(cacheDir).filter((name) => /\.clip-|\.clip$/.test(name) && !name.includes('/index/'));
  assert.deepEqual(left, []);
});
