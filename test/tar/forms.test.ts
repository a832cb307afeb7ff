/** Each tar form and quirk by hand-built bytes, where real programs write too little of it or differ. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ByteString } from '../../src/bytes.js';
import type { Entry } from '../../src/tree/entry.js';
import {
  base256,
  endOfArchive,
  gnuLong,
  header,
  MAGIC,
  type MemberFields,
  member,
  pad,
  pax,
  type SparseForm,
  sign,
  sparseMember,
  tar,
} from '../support/tar-builder.js';
import { readEntry, walkTar } from '../support/tar-walk.js';

/** The only entry of a tar made of these members. */
function only(...members: Buffer[]): Entry {
  const entries = walkTar(tar(...members));
  assert.equal(entries.length, 1);
  return entries[0]!;
}

const list = (...members: Buffer[]) =>
  walkTar(tar(...members)).map(({ type, path, size, link }) => `${type} ${path} ${size} ${link}`.trim());

const refused = (bytes: Buffer, code: string, message: RegExp) =>
  assert.throws(() => walkTar(bytes), { name: 'ClipError', code, message });

const last = member({ name: 'last' }, 'z');

describe('headers', () => {
  test('every field of a ustar header', () => {
    const fields: MemberFields = {
      name: 'dev/sda',
      type: '4',
      mode: 0o107644,
      uid: 0o7777777,
      gid: 12,
      mtime: 0o77777777777,
      uname: 'u'.repeat(32),
      gname: 'gr\xffup',
      devMajor: 8,
      devMinor: 0o7777777,
    };
    assert.deepEqual(only(member(fields)), {
      path: 'dev/sda',
      type: 'block',
      mode: 0o7644,
      uid: 0o7777777,
      gid: 12,
      uname: 'u'.repeat(32),
      gname: 'gr\xffup',
      mtime: 0o77777777777,
      mtimeNanos: 0,
      size: 0,
      link: '',
      devMajor: 8,
      devMinor: 0o7777777,
      xattrs: [],
      position: 512,
    });
  });

  test('owners that come and go between entries', () => {
    const owners = ['root', '', 'ro', 'root', 'rooty', 'u'.repeat(32), 'u'.repeat(31), 'root'];
    const members = owners.map((name) => member({ uname: name, gname: name }));
    const seen = walkTar(tar(...members)).map(({ uname, gname }) => [uname, gname]);
    assert.deepEqual(
      seen,
      owners.map((name) => [name, name]),
    );
  });

  test('v7 has no owner names, no prefix and no devices', () => {
    const entry = only(
      member({ magic: MAGIC.v7, type: '3', uname: 'x', gname: 'y', prefix: 'p', devMajor: 3 }),
    );
    const { path, type, uname, gname, devMajor } = entry;
    assert.deepEqual(
      { path, type, uname, gname, devMajor },
      { path: 'file', type: 'char', uname: '', gname: '', devMajor: 0 },
    );
  });

  test('a ustar prefix is joined, a full name and prefix have no NUL', () => {
    assert.equal(only(member({ prefix: 'a/b', name: 'c' })).path, 'a/b/c');
    const [prefix, name] = ['p'.repeat(155), 'n'.repeat(100)];
    assert.equal(only(member({ prefix, name })).path, `${prefix}/${name}`);
  });

  test("star's shorter prefix, by its signature (Go) or its times (GNU tar)", () => {
    const signed: MemberFields = { prefix: 'p'.repeat(131) + '7'.repeat(24), raw: [[508, 'tar\0']] };
    assert.equal(only(member(signed)).path, `${'p'.repeat(131)}/file`);
    const timed: MemberFields = { prefix: 'pre', raw: [[476, '07654321000 07654321000 ']] };
    assert.equal(only(member(timed)).path, 'pre/file');
  });

  test('GNU headers keep times where ustar has the prefix; a prefix that Go before 1.8 wrote there is one', () => {
    const gnu: MemberFields = { magic: MAGIC.gnu, raw: [[345, '07654321000\x0007654321000\0']] };
    assert.equal(only(member(gnu)).path, 'file');
    assert.equal(only(member({ magic: MAGIC.gnu, prefix: 'var/lib/docker' })).path, 'var/lib/docker/file');
    assert.equal(only(member({ magic: MAGIC.gnu, prefix: 'not\xffascii' })).path, 'file');
  });

  test('checksums of unsigned and of signed bytes hold, others do not', () => {
    const fields: MemberFields = { name: '\xff\xfe\x80name' };
    const block = sign(header(fields));
    const sum = Number.parseInt(block.toString('latin1', 148, 154), 8);
    assert.equal(only(header({ ...fields, checksum: sum - 3 * 256 })).path, fields.name);
    refused(tar(header({ ...fields, checksum: sum + 1 })), 'CORRUPT_TAR', /not a tar stream at offset 0/);
    refused(tar(last, header({ checksum: sum })), 'CORRUPT_TAR', /checksum does not hold at offset 1024/);
  });

  test('octal as GNU tar takes it: leading NUL or blanks, ended by NUL, blank or nothing, empty is 0', () => {
    for (const mode of [
      '0000755\0',
      '0000755 ',
      '    755 ',
      '\x00000755 ',
      '00000755',
      '755\0junk',
      '755 junk',
    ]) {
      assert.equal(only(member({ mode })).mode, 0o755, JSON.stringify(mode));
    }
    for (const mode of ['\0\0\0\0\0\0\0\0', '        ']) assert.equal(only(member({ mode })).mode, 0);
    for (const mode of ['0000788\0', '-000755\0', '0x1ff\0\0\0', '75a\0\0\0\0\0']) {
      refused(tar(member({ mode })), 'CORRUPT_TAR', /bad number/);
    }
  });

  test('base 256: large, negative, and beyond 2^53', () => {
    assert.equal(only(member({ mtime: base256(-1, 12) })).mtime, -1);
    assert.equal(only(member({ mtime: base256(-(2 ** 40) - 7, 12) })).mtime, -(2 ** 40) - 7);
    assert.equal(
      only(member({ mtime: base256(Number.MAX_SAFE_INTEGER, 12) })).mtime,
      Number.MAX_SAFE_INTEGER,
    );
    assert.equal(only(member({ uid: base256(4_294_967_294, 8) })).uid, 4_294_967_294);
    refused(tar(member({ mtime: base256(2n ** 53n, 12) })), 'CORRUPT_TAR', /bad number/);
    refused(tar(member({ mtime: base256(-(2n ** 60n), 12) })), 'CORRUPT_TAR', /bad number/);
    refused(tar(member({ uid: base256(2 ** 32, 8) })), 'CORRUPT_TAR', /32 bits/);
    refused(tar(member({ size: base256(-1, 12) })), 'CORRUPT_TAR', /negative/);
  });

  test('an owner of -1 is what the kernel takes it for', () => {
    assert.equal(only(member({ uid: -1, gid: -2 })).uid, 4_294_967_295);
    assert.equal(only(pax([['uid', '-1']]), member({})).uid, 4_294_967_295);
  });
});

describe('types', () => {
  test('types with data, types without, whatever their size field says', () => {
    const headerOnly = ['1', '2', '3', '4', '5', '6'].map((type) =>
      header({ name: type, type, link: 'l', size: 5 }),
    );
    assert.deepEqual(list(...headerOnly, last), [
      'hardlink 1 0 l',
      'symlink 2 0 l',
      'char 3 0',
      'block 4 0',
      'directory 5 0',
      'fifo 6 0',
      'file last 1',
    ]);
    const withData = ['0', '\0', '7', 'Q'].map((type, i) => member({ name: `n${i}`, type }, 'data'));
    assert.deepEqual(list(...withData, last), [
      'file n0 4',
      'file n1 4',
      'file n2 4',
      'file n3 4',
      'file last 1',
    ]);
  });

  test('a PAX size gives a hard link no data', () => {
    const link = header({ name: 'h', type: '1', link: 'last', size: 5 });
    assert.deepEqual(list(pax([['size', '5']]), link, last), ['hardlink h 0 last', 'file last 1']);
  });

  test('a slash makes a directory of a v7 type (Go, GNU tar), not of type 0 (Go)', () => {
    const v7 = header({ name: 'd/', type: '\0', size: 512, magic: MAGIC.v7 });
    assert.deepEqual(list(v7, member({ name: 'f/', type: '0' }, 'x')), ['directory d 0', 'file f 1']);
    assert.deepEqual(list(gnuLong('L', 'long/'), member({ type: '\0' })), ['directory long 0']);
  });

  test("GNU dumpdirs, volume labels and parts of other volumes; Solaris' X", () => {
    const dump = member({ name: 'd/', type: 'D', magic: MAGIC.gnu }, 'Yname\0\0');
    const label = member({ name: 'Label', type: 'V', magic: MAGIC.gnu });
    assert.deepEqual(list(label, dump, last), ['directory d 0', 'file last 1']);
    assert.deepEqual(list(pax([['path', 'solaris']], 'X'), member({})), ['file solaris 0']);
    refused(tar(member({ type: 'M' }, 'x')), 'UNSUPPORTED', /another volume/);
    refused(tar(member({ type: 'S' }, 'x')), 'UNSUPPORTED', /sparse/);
  });

  test('duplicates are all told, in their order, with ascending positions', () => {
    const entries = walkTar(tar(member({}, 'one'), member({}, 'two'), member({ type: '5' })));
    assert.deepEqual(
      entries.map(({ position }) => position),
      [512, 1536, 2560],
    );
  });
});

describe('names', () => {
  test('are cleaned as containerd and umoci do it', () => {
    const cases: [string, string][] = [
      ['/abs/name', 'abs/name'],
      ['//a///b', 'a/b'],
      ['./a/./b/.', 'a/b'],
      ['././a', 'a'],
      ['a/../b', 'b'],
      ['../../b', 'b'],
      ['a/b/../../../c', 'c'],
      ['.a/..b/...', '.a/..b/...'],
      ['a/..', ''],
      ['./', ''],
      ['/', ''],
      ['.', ''],
      ['..', ''],
      ['', ''],
      ['d//', 'd'],
      ['.wh.', '.wh.'],
    ];
    for (const [name, path] of cases) assert.equal(only(member({ name, type: '5' })).path, path, name);
  });

  test('are bytes: not UTF-8, of JavaScript objects, with control characters', () => {
    for (const name of ['\xff\xfe', '__proto__', 'toString', 'a\nb', '\x1b[31m', ' ']) {
      assert.equal(only(member({ name })).path, name);
      assert.equal(only(pax([['path', name]]), member({})).path, name);
      assert.equal(only(gnuLong('L', name), member({})).path, name);
    }
  });

  test('that name the root are for directories', () => {
    for (const name of ['', '.', '/', 'a/..'])
      refused(tar(member({ name }, 'x')), 'CORRUPT_TAR', /without a name/);
  });

  test('link targets: as written for symlinks, cleaned for hard links', () => {
    assert.equal(only(member({ type: '2', link: './../x//' })).link, './../x//');
    assert.equal(only(member({ type: '1', link: '/./x//y/' })).link, 'x/y');
    assert.equal(only(member({ type: '0', link: 'ignored' })).link, '');
  });
});

describe('GNU long names', () => {
  const long = 'x/'.repeat(500);
  test('name and link, in either order, several in a row: the last of each', () => {
    const link = member({ type: '2' });
    const expected = [`symlink ${long.slice(0, -1)} 0 ${long}`];
    assert.deepEqual(list(gnuLong('L', long), gnuLong('K', long), link), expected);
    assert.deepEqual(
      list(gnuLong('K', 'no'), gnuLong('L', 'no'), gnuLong('K', long), gnuLong('L', long), link),
      expected,
    );
  });
  test('end with their entry, and end at a NUL', () => {
    assert.deepEqual(
      list(gnuLong('L', 'one\0two'), member({}), gnuLong('K', 'k'), last, member({ type: '2' })),
      ['file one 0', 'file last 1', 'symlink file 0'],
    );
  });
  test('that are empty say nothing, as in Go', () => {
    assert.deepEqual(list(gnuLong('L', ''), member({ name: 'own' })), ['file own 0']);
    assert.deepEqual(list(member({ type: 'K' }), member({ name: 'own', type: '2', link: 'l' })), [
      'symlink own 0 l',
    ]);
  });
  test('win over PAX, as in Go and bsdtar', () => {
    assert.equal(only(pax([['path', 'pax']]), gnuLong('L', 'gnu'), member({})).path, 'gnu');
  });
});

describe('PAX', () => {
  const field = <K extends keyof Entry>(key: K, ...records: [string, string][]) =>
    only(pax(records), member({ name: 'n', uid: 5, mtime: 9, uname: 'u', type: '2', link: 'l' }))[key];

  test('overrides each field', () => {
    assert.equal(field('path', ['path', 'p'.repeat(5000)]), 'p'.repeat(5000));
    assert.equal(field('link', ['linkpath', 'q'.repeat(5000)]), 'q'.repeat(5000));
    assert.equal(field('uid', ['uid', '4000000000']), 4_000_000_000);
    assert.equal(field('gid', ['gid', '2097152']), 2_097_152);
    assert.equal(field('uname', ['uname', '\xff=\n']), '\xff=\n');
    assert.equal(field('path', ['hdrcharset', 'BINARY'], ['path', '\xff']), '\xff');
    assert.equal(field('path', ['path', 'a'], ['path', 'b']), 'b');
  });

  test('an empty value leaves the header block its word', () => {
    for (const key of ['path', 'linkpath', 'uname', 'uid', 'mtime', 'size']) {
      const { path, link, uname, uid, mtime } = only(
        pax([
          [key, '7'],
          [key, ''],
        ]),
        member({ name: 'n', uid: 5, mtime: 9, uname: 'u', type: '2', link: 'l' }),
      );
      assert.deepEqual(
        { path, link, uname, uid, mtime },
        { path: 'n', link: 'l', uname: 'u', uid: 5, mtime: 9 },
        key,
      );
    }
  });

  test('times: fractional, negative, finer than a nanosecond (rounded to the past)', () => {
    const cases: [string, number, number][] = [
      ['1350244992.023960108', 1350244992, 23960108],
      ['1.5', 1, 500_000_000],
      ['-1.5', -2, 500_000_000],
      ['-0.000000001', -1, 999_999_999],
      ['-3', -3, 0],
      ['-0', 0, 0],
      ['-0.0', 0, 0],
      ['5.', 5, 0],
      ['1.9999999999', 1, 999_999_999],
      ['-1.0000000001', -2, 999_999_999],
      ['-1.9999999999', -2, 0],
      ['4102444800.1', 4102444800, 100_000_000],
    ];
    for (const [text, mtime, mtimeNanos] of cases) {
      const entry = only(pax([['mtime', text]]), member({}));
      assert.deepEqual([entry.mtime, entry.mtimeNanos], [mtime, mtimeNanos], text);
    }
    for (const text of ['x', '1.2.3', '+1', '1e9', ' 1', '99999999999999999', '-', '.5']) {
      refused(tar(pax([['mtime', text]]), member({})), 'CORRUPT_TAR', /mtime/);
    }
  });

  test('a size over the header: the data are found', () => {
    const data = pad(Buffer.alloc(700, 'd'));
    assert.deepEqual(list(pax([['size', '700']]), header({ size: 0 }), data, last), [
      'file file 700',
      'file last 1',
    ]);
  });

  test('xattrs byte for byte, in byte order, the last of a name', () => {
    const value = '\0\n=\xff 12 a=b\n';
    const records: [string, string][] = [
      ['SCHILY.xattr.user.z', value],
      ['SCHILY.xattr.user.empty', ''],
      ['SCHILY.xattr.user.z\xff', 'b'],
      ['SCHILY.xattr.security.capability', '\x01\0\0\x02\xff'],
      ['SCHILY.xattr.user.twice', 'no'],
      ['SCHILY.xattr.user.twice', 'yes'],
      ['SCHILY.xattr.user.a%3Db%25', 'GNU escape'],
    ];
    assert.deepEqual(only(pax(records), member({})).xattrs, [
      ['security.capability', '\x01\0\0\x02\xff'],
      ['user.a=b%', 'GNU escape'],
      ['user.empty', ''],
      ['user.twice', 'yes'],
      ['user.z', value],
      ['user.z\xff', 'b'],
    ]);
  });

  test("libarchive's xattrs where SCHILY's are not", () => {
    const records: [string, string][] = [
      ['LIBARCHIVE.xattr.user.a%20b', Buffer.from([0, 255, 10]).toString('base64').replace(/=+$/, '')],
      ['SCHILY.xattr.user.both', 'raw'],
      ['LIBARCHIVE.xattr.user.both', 'b3RoZXI'],
    ];
    assert.deepEqual(only(pax(records), member({})).xattrs, [
      ['user.a b', '\0\xff\n'],
      ['user.both', 'raw'],
    ]);
  });

  test('devices beyond octal', () => {
    const { devMajor, devMinor } = only(
      pax([
        ['SCHILY.devmajor', '3000000'],
        ['SCHILY.devminor', '4000000'],
      ]),
      member({ type: '3', devMajor: 1, devMinor: 1 }),
    );
    assert.deepEqual([devMajor, devMinor], [3_000_000, 4_000_000]);
  });

  test('unknown keywords and an empty header do nothing', () => {
    assert.deepEqual(
      list(
        pax([
          ['comment', 'x'],
          ['VENDOR.key', ''],
        ]),
        pax([]),
        last,
      ),
      ['file last 1'],
    );
  });

  test('global records hold until replaced or deleted, under local ones', () => {
    const show = ({ uid, uname, mtime, mtimeNanos, xattrs }: Entry) =>
      `${uid} ${uname} ${mtime}.${mtimeNanos} ${xattrs.join(' ')}`;
    const file = member({ uid: 1, uname: 'h', mtime: 2 });
    const entries = walkTar(
      tar(
        pax(
          [
            ['uid', '7'],
            ['uname', 'g'],
            ['SCHILY.xattr.user.g', 'x'],
          ],
          'g',
        ),
        file,
        pax([
          ['uid', '8'],
          ['SCHILY.xattr.user.l', 'y'],
        ]),
        file,
        pax([['uid', '']]),
        file,
        pax(
          [
            ['mtime', '3.5'],
            ['uname', ''],
          ],
          'g',
        ),
        file,
      ),
    );
    assert.deepEqual(entries.map(show), [
      '7 g 2.0 user.g,x',
      '8 g 2.0 user.g,x user.l,y',
      '1 g 2.0 user.g,x',
      '7 h 3.500000000 user.g,x',
    ]);
  });

  test('malformed records', () => {
    const bodies = [
      '9 path=ab', // shorter than it says
      '12 path=ab\n',
      '8 path=ab\n',
      '10 pathab\n',
      '4 =\n\n',
      '6 =ab\n',
      'path=ab\n',
      ' 9 path=ab\n',
      '0 path=ab\n',
      '11 path=ab\n\0',
      '99999999999999999999 path=ab\n',
      '11 path=a\0\n',
      '-5 a=b\n',
      '9 a\0b=cd\n',
      '1',
      '3 \n',
      '\n',
    ];
    for (const body of bodies) refused(tar(pax(Buffer.from(body)), member({})), 'CORRUPT_TAR', /PAX/);
  });

  test('bad numbers', () => {
    for (const key of ['size', 'uid', 'gid']) {
      for (const value of ['x', '1.5', '+1', ' 1', '9007199254740992', '0x10', '1\0']) {
        refused(tar(pax([[key, value]]), member({})), 'CORRUPT_TAR', /PAX|32 bits/);
      }
    }
    refused(tar(pax([['size', '-1']]), member({})), 'CORRUPT_TAR', /size/);
    refused(tar(pax([['uid', '-']]), member({})), 'CORRUPT_TAR', /uid/);
  });
});

describe('sparse files', () => {
  const forms: SparseForm[] = ['old', '0.0', '0.1', '1.0'];
  const many = Array.from({ length: 60 }, (_, i) => [i * 1000, Buffer.alloc(i % 7, i)] as const);
  const shapes = {
    'runs and holes': {
      size: 10_000,
      runs: [
        [0, Buffer.from('head')],
        [5000, Buffer.alloc(700, 'm')],
        [9999, Buffer.from('t')],
      ],
    },
    'one run': { size: 4, runs: [[0, Buffer.from('full')]] },
    'only a hole': { size: 2 ** 40, runs: [[2 ** 40, Buffer.alloc(0)]] },
    empty: { size: 0, runs: [[0, Buffer.alloc(0)]] },
    'many runs, some empty': { size: 100_000, runs: many },
    'runs that touch': {
      size: 8,
      runs: [
        [0, Buffer.from('ab')],
        [2, Buffer.from('cd')],
      ],
    },
  } as const;

  for (const form of forms) {
    for (const [shape, file] of Object.entries(shapes)) {
      test(`${form}: ${shape}`, () => {
        const runs = file.runs as readonly (readonly [number, Buffer])[];
        const bytes = tar(sparseMember(form, { name: 'a/sparse', size: file.size, runs }, { uid: 3 }), last);
        for (const chunks of [[bytes.length], [1], [511, 513]]) {
          const [entry, after] = walkTar(bytes, { chunks });
          assert.deepEqual(
            [entry!.path, entry!.size, entry!.uid, entry!.type],
            ['a/sparse', file.size, 3, 'file'],
          );
          assert.equal(after!.path, 'last');
          assert.equal(bytes.toString('latin1', after!.position, after!.position + 1), 'z');
          const kept = runs.filter(([, data]) => data.length > 0);
          assert.deepEqual(
            [...entry!.extents!].map(({ logical, length }) => [logical, length]),
            kept.map(([at, data]) => [at, data.length]),
          );
          if (file.size > 1e6) continue;
          const expected = Buffer.alloc(file.size);
          for (const [at, data] of runs) data.copy(expected, at);
          assert.ok(readEntry(bytes, entry!).equals(expected));
        }
      });
    }

    test(`${form}: maps that lie are refused`, () => {
      const run = Buffer.alloc(10, 'x');
      const build = (size: number, ...runs: [number, Buffer][]) =>
        tar(sparseMember(form, { name: 's', size, runs }));
      refused(build(100, [50, run], [0, run]), 'CORRUPT_TAR', /overlap/);
      refused(build(100, [0, run], [9, run]), 'CORRUPT_TAR', /overlap/);
      refused(build(100, [95, run]), 'CORRUPT_TAR', /leave the file/);
      refused(build(100, [2 ** 53 - 1, run]), 'CORRUPT_TAR', /leave the file/);
    });
  }

  test('the position stays at the header, where a 1.0 map begins', () => {
    const { position, extents } = only(
      sparseMember('1.0', { name: 's', size: 9, runs: [[3, Buffer.from('x')]] }),
    );
    assert.deepEqual([position, [...extents!]], [1536, [{ logical: 3, offset: 2048, length: 1 }]]);
  });

  test('a map that does not fit its stored size, has no end, or no numbers', () => {
    const map = (text: string, size = 512) => {
      const records: [string, string][] = [
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.realsize', '9'],
      ];
      return tar(pax(records), header({ size }), pad(Buffer.from(text)), Buffer.alloc(4096));
    };
    assert.deepEqual(
      walkTar(map('0\n')).map(({ size, extents }) => [size, extents!.length]),
      [[9, 0]],
    );
    refused(map('1\n0\n5\n'), 'CORRUPT_TAR', /stored size/);
    refused(map('1\n0\n1\n', 100), 'CORRUPT_TAR', /longer than its file/);
    refused(map('2\n0\n0\n'), 'CORRUPT_TAR', /bad number/);
    refused(map('x\n'), 'CORRUPT_TAR', /bad number/);
    refused(map('\n'), 'CORRUPT_TAR', /bad number/);
    refused(map('-1\n'), 'CORRUPT_TAR', /bad number/);
    refused(map('1'.repeat(400)), 'CORRUPT_TAR', /bad number/);
    refused(map('131073\n'), 'LIMIT', /too many runs/);
  });

  test('PAX 0.x records that do not make a map', () => {
    const records = (...list: [string, string][]) =>
      tar(pax(list.map(([k, v]) => [`GNU.sparse.${k}`, v] as const)), member({}));
    refused(records(['numbytes', '1'], ['offset', '1']), 'CORRUPT_TAR', /order/);
    refused(records(['offset', '1'], ['offset', '1']), 'CORRUPT_TAR', /order/);
    refused(records(['size', '1'], ['offset', '1']), 'CORRUPT_TAR', /missing/);
    refused(records(['size', '1'], ['map', '1,2,3']), 'CORRUPT_TAR', /missing/);
    refused(records(['size', '1'], ['map', '1,']), 'CORRUPT_TAR', /bad number/);
    refused(records(['size', '1'], ['map', '0,0'], ['numblocks', '2']), 'CORRUPT_TAR', /missing/);
    refused(records(['major', '2'], ['minor', '0']), 'CORRUPT_TAR', /unknown version/);
    refused(records(['size', '-1'], ['map', '0,0']), 'CORRUPT_TAR', /bad number/);
  });

  test('sparse records of a global header, or on what is no file, do nothing', () => {
    const records: [string, string][] = [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
    ];
    assert.deepEqual(list(pax(records, 'g'), last), ['file last 1']);
    assert.deepEqual(list(pax(records), member({ type: '5' }), last), ['directory file 0', 'file last 1']);
  });
});

describe('the end', () => {
  const one = member({ name: 'one' }, 'data');
  const names = (bytes: Buffer) => walkTar(bytes).map(({ path }) => path as ByteString as string);

  test('no mark, one zero block, garbage after the mark, nothing at all', () => {
    assert.deepEqual(names(one), ['one']);
    assert.deepEqual(names(Buffer.concat([one, Buffer.alloc(512)])), ['one']);
    assert.deepEqual(names(Buffer.concat([one, Buffer.alloc(700)])), ['one']);
    assert.deepEqual(names(Buffer.concat([one, Buffer.alloc(100)])), ['one']);
    assert.deepEqual(names(Buffer.concat([one, endOfArchive, Buffer.from('garbage'), one])), ['one']);
    assert.deepEqual(names(Buffer.alloc(0)), []);
    assert.deepEqual(names(Buffer.alloc(10_240)), []);
  });

  test('nothing hides behind a single zero block', () => {
    refused(Buffer.concat([one, Buffer.alloc(512), one]), 'CORRUPT_TAR', /single zero block at offset 1536/);
  });

  test('an extended header without an entry is passed over at the mark (Go, GNU tar), refused where the tar just stops', () => {
    assert.deepEqual(names(tar(one, pax([['path', 'x']]))), ['one']);
    refused(Buffer.concat([one, pax([['path', 'x']])]), 'CORRUPT_TAR', /after an extended header/);
  });

  test('cut at every byte: whole data pass, everything else is refused', () => {
    const whole = Buffer.concat([
      pax([['path', 'x']]),
      member({}, 'data'),
      sparseMember('1.0', { name: 's', size: 9, runs: [[1, Buffer.from('r')]] }),
    ]);
    const passes: number[] = [];
    for (let length = 0; length <= whole.length; length++) {
      try {
        walkTar(whole.subarray(0, length));
        passes.push(length);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'CORRUPT_TAR', `cut at ${length}: ${error}`);
      }
    }
    // Nothing; after the first file's 4 bytes, anywhere in its padding; after the second's single byte.
    const expected = [0, ...range(1540, 2048), ...range(whole.length - 511, whole.length)];
    assert.deepEqual(passes, expected);
  });

  test('a file that announces terabytes is an error only at the end, and costs nothing', () => {
    refused(
      Buffer.concat([header({ size: 2 ** 43 }), Buffer.alloc(2048)]),
      'CORRUPT_TAR',
      /middle of a file/,
    );
    refused(header({ size: Number.MAX_SAFE_INTEGER }), 'CORRUPT_TAR', /too large/);
  });

  test('what is no tar', () => {
    for (const text of [
      'hello',
      'x'.repeat(512),
      'x'.repeat(5000),
      `${'\0'.repeat(511)}x`,
      `\x1f\x8b${'g'.repeat(2000)}`,
    ]) {
      refused(Buffer.from(text, 'latin1'), 'CORRUPT_TAR', /not a tar stream at offset 0/);
    }
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
