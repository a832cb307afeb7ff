import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClipError, isClipError } from '../../src/errors.js';
import type { RegistryReference } from '../../src/reference/image-ref.js';
import { looksLikeIndexPath } from '../../src/reference/index-path.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { parseReference } from '../../src/reference/parse-reference.js';
import { printFamiliar, printImage, printReference } from '../../src/reference/print-image.js';

const A = 'a'.repeat(64);

test('short names and registries are normalised as docker does', () => {
  // Examples of distribution/reference's own tests (reference_test.go, normalize_test.go).
  const examples: Record<string, string> = {
    debian: 'docker.io/library/debian:latest',
    'debian:12': 'docker.io/library/debian:12',
    'docker:24': 'docker.io/library/docker:24',
    'grafana/grafana': 'docker.io/grafana/grafana:latest',
    'docker.io/debian': 'docker.io/library/debian:latest',
    'index.docker.io/library/debian': 'docker.io/library/debian:latest',
    'localhost/x': 'localhost/x:latest',
    'localhost:5000/x:y': 'localhost:5000/x:y',
    'Uppercase/lowercase:x': 'Uppercase/lowercase:x',
    'test.com:8080/foo/bar/baz': 'test.com:8080/foo/bar/baz:latest',
    '[2001:db8::1]:5000/repo': '[2001:db8::1]:5000/repo:latest',
    '[::1]/repo:t': '[::1]/repo:t',
    '192.168.1.1/repo': '192.168.1.1/repo:latest',
    'xn--n3h.com/myimage:xn--n3h.com': 'xn--n3h.com/myimage:xn--n3h.com',
    'foo_bar.com:8080': 'docker.io/library/foo_bar.com:8080',
    'foo/foo_bar.com:8080': 'docker.io/foo/foo_bar.com:8080',
    'a__b/c---d.e_f': 'docker.io/a__b/c---d.e_f:latest',
    [`debian:12@sha256:${A}`]: `docker.io/library/debian:12@sha256:${A}`,
    [`debian@sha256:${A}`]: `docker.io/library/debian@sha256:${A}`,
    [`h:1/a@sha512:${A}${A}`]: `h:1/a@sha512:${A}${A}`,
  };
  for (const [text, canonical] of Object.entries(examples)) {
    assert.equal(printReference(parseReference(text)), canonical, text);
    assert.equal(printImage(parseImage(text)), `docker://${canonical}`);
    assert.deepEqual(parseImage(`docker://${text}`), parseImage(text));
  }
});

test('a wrong reference is INVALID_REFERENCE and says what is wrong where', () => {
  const wrong: Record<string, RegExp> = {
    '': /empty/,
    ':12': /name is missing/,
    'debian:': /tag is missing/,
    'debian:-x': /"-x" at character 8 is no tag/,
    [`debian:${'x'.repeat(129)}`]: /longer than 128/,
    Debian: /"Debian" at character 1/,
    'docker.io/Foo': /"Foo" at character 11/,
    'a//b': /empty path component at character 3/,
    '/a': /before the first "\/"/,
    'a/b/': /empty path component at character 5/,
    'a/_b': /"_b" at character 3/,
    'a/b..c': /path component/,
    'debian@': /no digest/,
    'debian@sha256:abc': /no digest/,
    [`debian@sha256:${'A'.repeat(64)}`]: /no digest/,
    [`debian@md5:${A}`]: /no digest/,
    [A]: /bare hash/,
    'host:99999/x': /"99999" is not a port/,
    'host:/x': /not a port/,
    'ho_st.x/x': /host name/,
    '-host.x/x': /host name/,
    '[::1/x': /closing/,
    '[:::1]/x': /IPv6/,
    '[fe80::1%eth0]:5000/x': /IPv6/,
    '[::1]x/y': /only ":port"/,
    'de\0bian': /NUL/,
    'https://ghcr.io/a/b': /no URL scheme/,
    'oci://dir': /followed by a path/,
    'dir:/tmp/x': /transport "dir:"/,
    'containers-storage:x': /transport/,
    'oci:': /path is missing/,
    'oci:dir:': /name is missing/,
    'oci:dir:a b': /no|not a name/,
    'oci:dir:@x': /number/,
    'docker://': /missing/,
    'docker-daemon:Upper': /component/,
    'tar:': /file is missing/,
    [`host.x/${'a'.repeat(256)}`]: /longer than 255/,
    ['a'.repeat(2000)]: /longer than 1024/,
  };
  for (const [text, pattern] of Object.entries(wrong)) {
    assert.throws(
      () => parseImage(text),
      (error: unknown) => {
        assert.ok(error instanceof ClipError, text);
        assert.equal(error.code, 'INVALID_REFERENCE');
        assert.equal(error.exitStatus, 2);
        assert.match(error.message, pattern);
        assert.ok(error.hint);
        return true;
      },
    );
  }
});

test('a login that somebody wrote into a reference is not repeated', () => {
  for (const text of [
    'user:geheim@r.test/x',
    'docker://user:geheim@r.test/x:1',
    'docker-daemon:user:geheim@r.test/x',
  ]) {
    assert.throws(
      () => parseImage(text),
      (error: unknown) => {
        assert.ok(isClipError(error, 'INVALID_REFERENCE'));
        assert.doesNotMatch(error.message, /geheim/, text);
        return true;
      },
    );
  }
});

test('transports are those of skopeo', () => {
  assert.deepEqual(parseImage('oci:/a/b'), { transport: 'oci', path: '/a/b', select: {} });
  assert.deepEqual(parseImage('oci:dir:v1'), { transport: 'oci', path: 'dir', select: { name: 'v1' } });
  assert.deepEqual(parseImage('oci:dir:x/y:v1'), {
    transport: 'oci',
    path: 'dir',
    select: { name: 'x/y:v1' },
  });
  assert.deepEqual(parseImage('oci:dir:@2'), { transport: 'oci', path: 'dir', select: { number: 2 } });
  assert.deepEqual(parseImage(`oci:dir@sha256:${A}`), {
    transport: 'oci',
    path: 'dir',
    select: { digest: `sha256:${A}` },
  });
  assert.deepEqual(parseImage('oci-archive:x.tar:t'), {
    transport: 'oci-archive',
    path: 'x.tar',
    select: { name: 't' },
  });
  assert.deepEqual(parseImage('docker-archive:x.tar:debian'), {
    transport: 'docker-archive',
    path: 'x.tar',
    select: { name: 'debian:latest' },
  });
  assert.deepEqual(parseImage(`docker-daemon:sha256:${A}`), {
    transport: 'docker-daemon',
    reference: `sha256:${A}`,
  });
  assert.deepEqual(parseImage('docker-daemon:debian'), {
    transport: 'docker-daemon',
    reference: 'debian:latest',
  });
  assert.deepEqual(parseImage('tar:a:b'), { transport: 'tar', path: 'a:b' });
});

test('an index path is what begins with /, ./ or ../', () => {
  for (const path of ['/a', './a', '../a', '/']) assert.equal(looksLikeIndexPath(path), true);
  for (const path of ['a', '.a/b', 'debian:12', 'oci:./a', '..', ''])
    assert.equal(looksLikeIndexPath(path), false);
});

const word = (alphabet: string, max: number) =>
  fc.array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: max }).map((letters) => letters.join(''));
const lower = 'abc019';
const component = fc
  .array(word(lower, 4), { minLength: 1, maxLength: 3 })
  .chain((parts) => fc.constantFrom('.', '_', '__', '-', '---').map((separator) => parts.join(separator)));
const registry = fc
  .tuple(
    fc.oneof(
      fc.constant('docker.io'),
      fc.constant('localhost'),
      fc.constant('[::1]'),
      fc.constant('[2001:db8::ff:1]'),
      word('abC01', 6).map((host) => `${host}.example`),
    ),
    fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
  )
  .map(([host, port]) => (port === undefined ? host : `${host}:${port}`));
const reference: fc.Arbitrary<RegistryReference> = fc
  .record({
    registry,
    path: fc.array(component, { minLength: 1, maxLength: 4 }),
    tag: fc.option(word('aB0_', 20), { nil: undefined }),
    digest: fc.option(fc.constantFrom(`sha256:${A}`, `sha512:${A}${A}`), { nil: undefined }),
  })
  .map(({ registry, path, tag, digest }) => ({
    registry,
    repository: registry === 'docker.io' && path.length === 1 ? `library/${path[0]}` : path.join('/'),
    tag: tag ?? (digest === undefined ? 'latest' : undefined),
    digest,
  }));

test('property: printing and parsing a reference gives it back, in every form', () => {
  fc.assert(
    fc.property(reference, (wanted) => {
      for (const print of [printReference, printFamiliar]) {
        assert.deepEqual(parseReference(print(wanted)), wanted, print(wanted));
      }
      const image = { transport: 'docker' as const, reference: wanted };
      assert.deepEqual(parseImage(printImage(image)), image);
    }),
    { numRuns: 2000 },
  );
});

test('property: any text parses, and prints to what parses to the same, or is INVALID_REFERENCE', () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'ab/:@.-_[]0A') }),
    fc.string(),
    fc
      .tuple(
        fc.constantFrom(
          'oci:',
          'oci-archive:',
          'docker-archive:',
          'docker-daemon:',
          'tar:',
          'docker://',
          'docker:',
        ),
        fc.string({ unit: fc.constantFrom(...'ab/:@.-_[]0A') }),
      )
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (text) => {
      let image: ReturnType<typeof parseImage>;
      try {
        image = parseImage(text);
      } catch (error) {
        assert.ok(error instanceof ClipError && error.code === 'INVALID_REFERENCE', String(error));
        return;
      }
      assert.deepEqual(parseImage(printImage(image)), image, printImage(image));
    }),
    { numRuns: 5000 },
  );
});

test('a repository named like a transport keeps its library/, so that it is not read as one', () => {
  for (const name of ['tar', 'oci', 'docker-daemon', 'dir', 'containers-storage']) {
    const image = parseImage(`docker://${name}:1`);
    assert.ok(image.transport === 'docker');
    assert.equal(printFamiliar(image.reference), `library/${name}:1`);
    assert.deepEqual(parseImage(printFamiliar(image.reference)), image);
  }
});
