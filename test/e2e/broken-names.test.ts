// Names that no unpacker can make, in an image whose other files are sound: they are shown, left out with a word, and never keep
// anybody from the rest (docs/conformance.md).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeLayout } from '../support/layout-builder.js';
import { clip, type Run, root, tempDir } from '../support/run-clip.js';
import { member, pax, tar } from '../support/tar-builder.js';
import { walkTar } from '../support/tar-walk.js';

const hardLink = (name: string, link: string) => member({ name, type: '1', link });

const LAYERS = [
  tar(
    member({ name: 'good' }, 'sound\n'),
    hardLink('good-2', 'good'),
    member({ name: 'd/', type: '5', mode: 0o755 }),
    member({ name: 'gone' }, 'x'),
    hardLink('nothing', 'no/where'),
    hardLink('folder', 'd'),
    hardLink('a', 'b'),
    hardLink('b', 'a'),
  ),
  tar(member({ name: '.wh.gone' })),
  tar(hardLink('whited-out', 'gone')),
];

const BROKEN = ['a', 'b', 'folder', 'nothing', 'whited-out'];

async function world(t: TestContext, layers: Buffer[]): Promise<(...args: string[]) => Promise<Run>> {
  const dir = await tempDir(t);
  writeLayout(join(dir, 'layout'), layers);
  const index = join(dir, 'index.clip');
  const run = (...args: string[]) => clip(args, { cacheDir: join(dir, 'cache'), cwd: dir });
  const built = await run('index', `oci:${join(dir, 'layout')}`, '-o', index);
  assert.equal(built.status, 0, built.stderr);
  return (command, ...args) => run(command!, index, ...args);
}

test('hard links to nothing: the rest of the image is read, they are shown as what they are', async (t) => {
  const run = await world(t, LAYERS);
  const good = await run('cat', '/good', '/good-2');
  assert.deepEqual([good.status, good.stdout.toString()], [0, 'sound\nsound\n']);
  const long = (await run('ls', '-l', '/')).stdout.toString().trimEnd().split('\n');
  assert.deepEqual(
    long.filter((line) => line.startsWith('h')).map((line) => line.replace(/^.*Z /, '')),
    [
      'a link to /b',
      'b link to /a',
      'folder link to /d',
      'nothing link to /no/where',
      'whited-out link to /gone',
    ],
  );
  const nodes = (await run('ls', '--json', '/')).stdout.toString().trimEnd().split('\n');
  const links = nodes.map((line) => JSON.parse(line)).filter(({ type }) => type === 'hardlink');
  assert.deepEqual(
    links.map(({ path, link }) => [path, link]),
    [
      ['/a', '/b'],
      ['/b', '/a'],
      ['/folder', '/d'],
      ['/nothing', '/no/where'],
      ['/whited-out', '/gone'],
    ],
  );
  const stat = (await run('stat', '/nothing')).stdout.toString();
  assert.match(stat, /Path: \/nothing link to \/no\/where\n {2}Type: hard link to nothing\n/);
});

test('hard links to nothing: reading one is NOT_A_FILE, with what it is', async (t) => {
  const run = await world(t, LAYERS);
  for (const name of BROKEN) {
    const { status, stdout, stderr } = await run('cat', `/${name}`);
    assert.deepEqual([status, stdout.length], [1, 0]);
    assert.match(stderr, new RegExp(`/${name} is a hard link to /.* \\(NOT_A_FILE\\)\\nhint: .*rebuild`));
  }
});

test('hard links to nothing: export, extract and verify carry the rest, and say what was left out', async (t) => {
  const run = await world(t, LAYERS);
  const exported = await run('export');
  assert.equal(exported.status, 0, exported.stderr);
  assert.match(exported.stderr, /5 hard links to nothing in the image left out \(NOT_CARRIED_OVER\)/);
  const names = execFileSync('tar', ['-t'], { input: exported.stdout }).toString().trimEnd().split('\n');
  assert.deepEqual(names, ['./', 'd/', 'good', 'good-2']);
  const out = join(await tempDir(t), 'out');
  const extracted = await run('extract', '-C', out);
  assert.equal(extracted.status, 0, extracted.stderr);
  assert.match(extracted.stderr, /5 hard links to nothing in the image left out \(NOT_CARRIED_OVER\)/);
  assert.deepEqual(fs.readdirSync(out).sort(), ['d', 'good', 'good-2']);
  const verified = await run('verify');
  assert.equal(verified.status, 0, verified.stderr);
});

test('symbolic links to an empty name: shown, and left out of export and extract with a word', async (t) => {
  const run = await world(t, [tar(member({ name: 'good' }, 'x'), member({ name: 'empty', type: '2' }))]);
  assert.match((await run('ls', '-l')).stdout.toString(), /^l.* empty -> $/m);
  const exported = await run('export');
  assert.equal(exported.status, 0, exported.stderr);
  assert.match(exported.stderr, /1 symbolic link to an empty name left out/);
  const names = execFileSync('tar', ['-t'], { input: exported.stdout }).toString().trimEnd().split('\n');
  assert.deepEqual(names, ['./', 'good']);
  const out = join(await tempDir(t), 'out');
  const extracted = await run('extract', '-C', out);
  assert.equal(extracted.status, 0, extracted.stderr);
  assert.match(extracted.stderr, /1 symbolic link to an empty name left out/);
  assert.deepEqual(fs.readdirSync(out), ['good']);
});

test('attributes of a machine are shown, and left out of an export with a word', async (t) => {
  const attributes = [
    ['SCHILY.xattr.security.capability', 'cap'],
    ['SCHILY.xattr.security.selinux', 'label'],
    ['SCHILY.xattr.system.nfs4_acl', 'list'],
    ['SCHILY.xattr.trusted.mine', 'kept'],
    ['SCHILY.xattr.trusted.overlay.opaque', 'y'],
    ['SCHILY.xattr.trusted.overlay.redirect', '/etc'],
    ['SCHILY.xattr.user.x', ''],
  ] as const;
  const labelled = (...rest: Parameters<typeof member>) => Buffer.concat([pax(attributes), member(...rest)]);
  const run = await world(t, [
    tar(
      labelled({ name: 'd/', type: '5', mode: 0o755 }),
      labelled({ name: 'f' }, 'x'),
      hardLink('g', 'f'),
      member({ name: 'plain' }),
    ),
  ]);
  const [node] = JSON.parse((await run('stat', '--json', '/f')).stdout.toString()).nodes;
  assert.equal(Object.keys(node.xattrs).length, attributes.length);
  const { stdout, stderr } = await run('export');
  assert.match(stderr, /attributes of 3 names left out: they are of a machine \(NOT_CARRIED_OVER\)/);
  const members = walkTar(stdout);
  const namesOf = (path: string) => members.find((each) => each.path === path)!.xattrs.map(([name]) => name);
  // Another name of an inode need not say again what it has.
  assert.deepEqual(namesOf('g'), []);
  for (const path of ['d', 'f'])
    assert.deepEqual(namesOf(path), ['security.capability', 'trusted.mine', 'user.x']);
  assert.deepEqual(namesOf('plain'), []);
});

test('names that are too long for the file system are told and left out, and the rest is extracted', async (t) => {
  const long = 'n'.repeat(256);
  const named = (path: string, ...rest: [object, string?]) =>
    Buffer.concat([pax([['path', path]]), member({ name: 'x', ...rest[0] }, rest[1])]);
  const run = await world(t, [
    tar(
      named(long, { mode: 0o644 }, 'inside'),
      member({ name: 'd/', type: '5', mode: 0o755 }),
      named(`d/${long}/`, { type: '5', mode: 0o755 }),
      named(`d/${long}/one`, {}, '1'),
      named(`d/${long}/two`, {}, '2'),
      member({ name: 'e' }, 'sound'),
      Buffer.concat([pax([['linkpath', long]]), member({ name: 'other', type: '1', link: 'x' })]),
      named(`s${long}`, { type: '2', link: 'e' }),
      named('m'.repeat(255), {}, 'fits'),
    ),
  ]);
  const out = join(await tempDir(t), 'out');
  const refused = await run('extract', '-q', '-C', out);
  assert.equal(refused.status, 1);
  const lines = refused.stderr.trimEnd().split('\n');
  const hint = 'hint: extract to a file system that takes it; clip cat reads it';
  assert.deepEqual(
    lines.map((line) => line.replace(/^.*\/out\//, '')),
    [`d/${long}`, long, `s${long}`].flatMap((path) => [
      `${path}: the name is too long for this file system (IO)`,
      hint,
    ]),
  );
  assert.deepEqual(fs.readdirSync(out).sort(), ['d', 'e', 'm'.repeat(255), 'other']);
  assert.deepEqual(fs.readdirSync(join(out, 'd')), []);
  assert.equal(fs.readFileSync(join(out, 'other'), 'utf8'), 'inside');
  // One that is named itself, without the directory that it is in, is told itself.
  const one = await run('extract', `/d/${long}/one`, '/e', '-q', '-C', out);
  assert.match(
    one.stderr,
    /^clip: cannot write [^\n]*one: the name is too long for this file system \(IO\)\nhint: [^\n]*\n$/,
  );
  assert.equal((await run('cat', `/${long}`)).stdout.toString(), 'inside');
});

test('a folder whose name is not UTF-8 cannot be named, and nothing lands in another one', async (t) => {
  const run = await world(t, [tar(member({ name: 'f' }, 'x'))]);
  const refused = await run('extract', '-C', 'o\ufffd');
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /--directory takes a DIR whose name is UTF-8/);
});

test('paths whose bytes are not UTF-8 are taken as they are typed', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const dir = await tempDir(t);
  writeLayout(join(dir, 'layout'), [
    tar(
      member({ name: 'd/', type: '5', mode: 0o755 }),
      member({ name: 'd/\xff' }, 'one\n'),
      member({ name: 'd/\xfe' }, 'two\n'),
      member({ name: 'd/back\\n\xff' }, 'three\n'),
    ),
  ]);
  const typed = (...line: string[]) =>
    execFileSync('sh', ['-c', line.join(' ')], {
      cwd: dir,
      encoding: 'latin1',
      env: { ...process.env, CLIP_CACHE_DIR: 'cache', CLIP: join(root, 'bin/clip.js') },
    });
  const run = `${process.execPath} "$CLIP"`;
  assert.equal(
    typed(run, "cat oci:layout $(printf 'd/\\376 d/\\377 d/back\\\\n\\377')"),
    'two\none\nthree\n',
  );
  assert.equal(typed(run, "ls oci:layout $(printf 'd/\\377')"), '\\xff\n');
  assert.equal(typed(run, "stat oci:layout $(printf 'd/\\377') | head -1"), '  Path: /d/\\xff\n');
  assert.match(typed(run, "cat oci:layout 'd/\\xf0' 2>&1 || true"), /^clip: \/d\/\\xf0 does not exist/);
  typed(run, "extract -q oci:layout -C out $(printf 'd/b*\\377')");
  assert.deepEqual(fs.readdirSync(Buffer.from(join(dir, 'out/d')), { encoding: 'latin1' }), ['back\\n\xff']);
});
