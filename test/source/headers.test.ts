import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from '../../src/source/registry/challenge.js';
import { parseContentRange } from '../../src/source/registry/content-range.js';

test('challenges as registries write them', () => {
  const read = (header: string) =>
    parseChallenges(header).map(({ scheme, parameters }) => [scheme, { ...parameters }]);
  assert.deepEqual(
    read(
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
    ),
    [
      [
        'bearer',
        {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:a/b:pull,push',
        },
      ],
    ],
  );
  assert.deepEqual(read('Basic realm="a \\"b\\""'), [['basic', { realm: 'a "b"' }]]);
  assert.deepEqual(read('BASIC Realm = x , Bearer realm=y, error="z"'), [
    ['basic', { realm: 'x' }],
    ['bearer', { realm: 'y', error: 'z' }],
  ]);
  assert.deepEqual(read('Negotiate, Basic realm="x"'), [
    ['negotiate', {}],
    ['basic', { realm: 'x' }],
  ]);
  assert.deepEqual(read('Negotiate abc==, Basic realm="x"'), [
    ['negotiate', {}],
    ['basic', { realm: 'x' }],
  ]);
  assert.deepEqual(read(''), []);
  assert.deepEqual(read('Bearer realm="unclosed'), [['bearer', {}]]);
  assert.equal(parseChallenges('Basic __proto__="x"')[0]?.parameters.realm, undefined);
  const start = performance.now();
  parseChallenges(`Bearer ${'a="\\'.repeat(100_000)}`);
  parseChallenges(`${','.repeat(100_000)}x`);
  parseChallenges(`a ${'b="c",'.repeat(100_000)}`);
  assert.ok(performance.now() - start < 1000);
});

test('Content-Range', () => {
  assert.deepEqual(parseContentRange('bytes 0-9/10'), { first: 0, last: 9, total: 10 });
  assert.deepEqual(parseContentRange(' Bytes 5-9/* '), { first: 5, last: 9, total: undefined });
  for (const wrong of [
    'bytes */10',
    'bytes 9-0/10',
    'bytes 0-10/10',
    'bytes=0-9/10',
    'items 0-1/2',
    'bytes 0-9',
    'bytes 0-9/10, bytes 1-2/10',
    'bytes 0-9999999999999999/*',
    '',
  ]) {
    assert.equal(parseContentRange(wrong), undefined, wrong);
  }
  assert.equal(parseContentRange(undefined), undefined);
});
