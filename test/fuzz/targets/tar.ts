import { spawnSync } from 'node:child_process';
import { type ErrorCode, isClipError } from '../../../src/errors.js';
import { createTarWalker } from '../../../src/tar/walk.js';
import { type Entry, extentsOf } from '../../../src/tree/entry.js';
import { has } from '../../support/needs.js';
import {
  base256,
  gnuLong,
  header,
  MAGIC,
  member,
  pad,
  pax,
  sign,
  sparseMember,
  tar,
} from '../../support/tar-builder.js';
import { mutateBytes } from '../mutate-bytes.js';
import { chunksOf, hashOf, type Random } from '../random.js';
import type { Target } from '../target.js';

/**
 * Tars. Oracles: the promises of `Entry`; the same result however the stream is cut; and GNU tar and bsdtar, where both list a tar
 * without complaint and agree, for names and sizes. Where readers differ docs/conformance.md says what clip does.
 */
export function tarTarget(): Target {
  return {
    name: 'tar',
    code: READER.map((name) => `tar/${name}.js`),
    seeds,
    mutate(input, other, random) {
      let bytes: Buffer = Buffer.from(input);
      for (let n = 1 + random.below(3); n > 0; n--) bytes = change(bytes, other, random);
      // Mended checksums let the damage through to what lies behind them.
      if (!random.oneIn(8)) mend(bytes);
      return bytes.subarray(0, 40_000);
    },
    run(input, thorough) {
      const whole = walk([input], input.length);
      const parts = walk(chunksOf(input, hashOf(input)), input.length);
      if (JSON.stringify(whole) !== JSON.stringify(parts)) throw new Error('another result in other chunks');
      if (whole.refused !== undefined) {
        if (!['CORRUPT_TAR', 'LIMIT', 'UNSUPPORTED'].includes(whole.refused))
          throw new Error(`refused with ${whole.refused}`);
        return 'refused';
      }
      if (thorough) comparePrograms(input, whole.entries);
      return 'taken';
    },
  };
}

interface Walked {
  entries: Entry[];
  refused: ErrorCode | undefined;
}

function walk(chunks: readonly Uint8Array[], length: number): Walked {
  const entries: Entry[] = [];
  let last = -1;
  const walker = createTarWalker({
    entry(entry) {
      check(entry, { last, length });
      last = entry.position;
      entries.push(entry);
    },
  });
  try {
    for (const chunk of chunks) walker.push(chunk);
    walker.end();
    return { entries, refused: undefined };
  } catch (error) {
    if (!isClipError(error)) throw error;
    return { entries, refused: error.code };
  }
}

/** What `Entry` promises of whatever comes in. */
function check(entry: Entry, { last, length }: { last: number; length: number }): void {
  const names = entry.path === '' ? [] : entry.path.split('/');
  let reached = 0;
  const extents = extentsOf(entry);
  for (const extent of extents) {
    const isSound = extent.logical >= reached && extent.length > 0 && extent.offset >= entry.position;
    if (!isSound) throw new Error(`extents are not sound: ${JSON.stringify([...extents])}`);
    reached = extent.logical + extent.length;
  }
  const numbers = [entry.uid, entry.gid, entry.devMajor, entry.devMinor];
  const isSound =
    names.every((name) => name !== '' && name !== '.' && name !== '..') &&
    !/[^\0-\xff]/.test(entry.path + entry.link + entry.uname + entry.gname) &&
    entry.position > last &&
    entry.position <= length &&
    entry.mode >= 0 &&
    entry.mode <= 0o7777 &&
    Number.isSafeInteger(entry.mtime) &&
    entry.mtimeNanos >= 0 &&
    entry.mtimeNanos < 1e9 &&
    numbers.every((number) => Number.isInteger(number) && number >= 0 && number < 2 ** 32) &&
    Number.isSafeInteger(entry.size) &&
    entry.size >= 0 &&
    (entry.type === 'file' || entry.size === 0) &&
    (['symlink', 'hardlink'].includes(entry.type) || entry.link === '') &&
    reached <= entry.size;
  if (!isSound) throw new Error(`an entry is not sound: ${JSON.stringify(entry)}`);
}

const READER = [
  'build-entry',
  'clean-path',
  'header',
  'meta',
  'number',
  'pax-overrides',
  'pax',
  'sparse',
  'tar-error',
  'walk',
];

/** Printable names only: the programs quote all others in ways of their own. */
const PLAIN = /^[A-Za-z0-9._/-]+$/;

function comparePrograms(input: Uint8Array, entries: readonly Entry[]): void {
  if (!has('tar') || !has('bsdtar') || entries.some(({ path, link }) => !PLAIN.test(`x${path}${link}`)))
    return;
  // Of sparse records that do not belong together every reader makes something else; clip follows Go (test/tar/engines.test.ts).
  if (Buffer.from(input).includes('GNU.sparse.')) return;
  const gnu = list('tar', ['--numeric-owner', '--full-time'], input, /^(\S)\S+ \S+ +(\S+) \S+ \S+ (.*)$/);
  const bsd = list('bsdtar', [], input, /^(\S)\S+ +\S+ \S+ +\S+ +(\S+) \S+ +\S+ +\S+ (.*)$/);
  if (gnu === undefined || bsd === undefined || gnu.join('\n') !== bsd.join('\n')) return;
  const ours = entries.map(lineOf);
  if (ours.join('\n') !== gnu.join('\n'))
    throw new Error(`GNU tar and bsdtar agree on\n${gnu.join('\n')}\nand clip reads\n${ours.join('\n')}`);
}

/** Type, size of files, name, in one line; undefined where the program complains. */
function list(program: string, args: string[], input: Uint8Array, form: RegExp): string[] | undefined {
  const { status, stdout, stderr } = spawnSync(program, ['-tvf', '-', ...args], {
    input,
    timeout: 10_000,
    encoding: 'latin1',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
  });
  if (status !== 0 || stderr !== '') return undefined;
  const lines: string[] = [];
  for (const line of stdout.split('\n').slice(0, -1)) {
    const match = form.exec(line);
    if (match === null) return undefined;
    const type = match[1]!;
    const name = match[3]!.replace(/ (->|link to) .*$/, '');
    lines.push(`${type} ${type === '-' ? match[2] : 0} ${clean(name)}`);
  }
  return lines;
}

function lineOf({ path, type, size }: Entry): string {
  const letters = {
    file: '-',
    directory: 'd',
    symlink: 'l',
    hardlink: 'h',
    char: 'c',
    block: 'b',
    fifo: 'p',
  };
  return `${letters[type]} ${type === 'file' ? size : 0} ${path}`;
}

function clean(name: string): string {
  const names: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') names.pop();
    else if (part !== '' && part !== '.') names.push(part);
  }
  return names.join('/');
}

function change(bytes: Buffer, other: Uint8Array, random: Random): Buffer {
  const blocks = Math.floor(bytes.length / 512);
  const at = random.below(blocks + 1) * 512;
  const length = (1 + random.below(3)) * 512;
  switch (random.below(8)) {
    case 0:
      return mutateBytes(bytes, other, random);
    case 1: {
      const from = random.below(Math.floor(other.length / 512)) * 512;
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + length), bytes.subarray(at)]);
    }
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), randomMember(random), bytes.subarray(at)]);
    case 4:
      return Buffer.from(
        bytes
          .toString('latin1')
          .replace(/[0-9]{2,}/g, (text) => (random.oneIn(4) ? number(random, text.length) : text)),
        'latin1',
      );
    default:
      changeField(bytes.subarray(at, at + 512), random);
      return bytes;
  }
}

/** ustar's fields, GNU's and star's. */
const FIELDS: readonly (readonly [at: number, length: number])[] = [
  [0, 100],
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [148, 8],
  [157, 100],
  [257, 8],
  [265, 32],
  [297, 32],
  [329, 8],
  [337, 8],
  [345, 155],
  [345, 12],
  [386, 12],
  [398, 12],
  [482, 1],
  [483, 12],
  [504, 1],
  [508, 4],
];
const TYPES = '01234567xgXLKSDMVNA\0';

function changeField(block: Buffer, random: Random): void {
  if (block.length < 512) return;
  if (random.oneIn(3)) {
    block[156] = TYPES.charCodeAt(random.below(TYPES.length));
    return;
  }
  const [at, length] = random.pick(FIELDS);
  const values = [
    () => number(random, length),
    () =>
      base256(
        BigInt(random.below(2 ** 31)) ** BigInt(random.below(3)) * (random.oneIn(3) ? -1n : 1n),
        length,
      ),
    () =>
      random.pick([
        'ustar\0',
        'ustar  \0',
        '',
        '../..',
        '/',
        'a//b/./c',
        ' 7',
        '-1',
        '8',
        '\xff'.repeat(length),
        '\x80',
      ]),
    () => 'n'.repeat(length),
  ];
  block.fill(0, at, at + length);
  block.write(random.pick(values)().slice(0, length), at, 'latin1');
}

function number(random: Random, length: number): string {
  const text = String(random.pick([0, 1, 7, 10, 511, 512, 513, 4096, random.below(1e9), 2 ** 31, 2 ** 53]));
  return random.oneIn(2) ? text.padStart(length - 1, '0').slice(-length) : text.slice(0, length);
}

const KEYWORDS = [
  'path',
  'linkpath',
  'size',
  'uid',
  'gid',
  'mtime',
  'uname',
  'gname',
  'hdrcharset',
  'SCHILY.xattr.user.a',
  'LIBARCHIVE.xattr.user.b',
  'SCHILY.devmajor',
  'GNU.sparse.major',
  'GNU.sparse.minor',
  'GNU.sparse.name',
  'GNU.sparse.realsize',
  'GNU.sparse.size',
  'GNU.sparse.map',
  'GNU.sparse.numblocks',
  'GNU.sparse.offset',
  'GNU.sparse.numbytes',
];
const VALUES = [
  '',
  'a',
  'd/e',
  '0',
  '1',
  '5',
  '-1.5',
  '1e3',
  '0,5',
  '512',
  '9'.repeat(17),
  '9'.repeat(30),
  'eA==',
  '\0',
  '\xff',
  '1,2,3',
  'BINARY',
];

function randomMember(random: Random): Buffer {
  switch (random.below(6)) {
    case 0:
      return gnuLong(random.pick(['L', 'K']), random.pick(['x', 'y/'.repeat(random.below(200))]));
    case 1:
    case 2: {
      const records = Array.from(
        { length: 1 + random.below(4) },
        () => [random.pick(KEYWORDS), random.pick(VALUES)] as const,
      );
      return pax(records, random.pick(['x', 'x', 'x', 'g', 'X']));
    }
    case 3:
      return sparseMember(random.pick(['old', '0.0', '0.1', '1.0']), {
        name: 'sparse',
        size: random.pick([0, 3000, 2 ** 40]),
        runs: Array.from({ length: random.below(30) }, (_, i) => [
          i * 100,
          Buffer.alloc(random.below(40), 's'),
        ]),
      });
    case 4:
      return Buffer.alloc(512);
    default: {
      const type = random.pick([...TYPES]);
      const magic = random.pick(Object.values(MAGIC));
      const name = random.pick(['a', 'b/', './c', 'd/e/f', 'g'.repeat(100), '.wh.x']);
      return member({ name, type, magic, link: random.pick(['', 'a', '/d']) }, 'x'.repeat(random.below(700)));
    }
  }
}

/** Right checksums for every block that has a magic, and for the first. */
function mend(bytes: Buffer): void {
  for (let at = 0; at + 512 <= bytes.length; at += 512)
    if (at === 0 || bytes.toString('latin1', at + 257, at + 262) === 'ustar')
      sign(bytes.subarray(at, at + 512));
}

function seeds(): Buffer[] {
  const run = Buffer.alloc(20, 'r');
  const runs = Array.from({ length: 9 }, (_, i) => [i * 1000, run] as const);
  const samples = [
    member({ name: 'a/b', uname: 'root', gname: 'root', prefix: 'usr/lib' }, 'data'),
    Buffer.concat([
      gnuLong('L', 'l'.repeat(700)),
      gnuLong('K', 'k'.repeat(300)),
      member({ type: '2', magic: MAGIC.gnu }),
    ]),
    Buffer.concat([
      pax([['mtime', '-1.5']], 'g'),
      pax([
        ['path', 'p'],
        ['SCHILY.xattr.user.x', '\0\n='],
        ['LIBARCHIVE.xattr.user.y', 'eA=='],
      ]),
      member({ type: '5' }),
    ]),
    ...(['old', '0.0', '0.1', '1.0'] as const).map((form) =>
      sparseMember(form, { name: 's', size: 90_000, runs }),
    ),
    sparseMember('old', {
      name: 't',
      size: 9000,
      runs: Array.from({ length: 40 }, (_, i) => [i * 100, run] as const),
    }),
    member({ type: '3', devMajor: 1, devMinor: 3 }),
    member({ type: '1', link: 'a/b' }),
    member({ name: 'v7', magic: MAGIC.v7 }, 'old'),
    pad(header({ name: 'n', type: 'D', magic: MAGIC.gnu }, 0)),
  ];
  return [...samples.map((sample) => tar(sample)), tar(...samples), Buffer.alloc(0)];
}
