import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePaths, type Entry } from '../../src/tree/entry.js';
import { type EntryParts, entryOf, layerOf } from '../support/entries.js';
import { merged } from '../support/merged.js';

/** Generous: what is tested is that nothing grows with the square of its input, which would take minutes. */
const SECONDS = 20;

function timed(image: readonly (readonly Entry[])[]) {
  const started = performance.now();
  const nodes = merged(image);
  const seconds = (performance.now() - started) / 1000;
  assert.ok(seconds < SECONDS, `${seconds} s`);
  return nodes;
}

const many = (count: number, make: (i: number) => EntryParts) =>
  Array.from({ length: count }, (_, i) => make(i));

test('a path over 8192 bytes is LIMIT, one below is merged with all its missing parents', () => {
  const deep = (bytes: number) => layerOf([{ path: `${'a/'.repeat(bytes / 2 - 1)}ab` }]);
  const nodes = timed([deep(8192)]);
  assert.equal(nodes.length, 4097);
  assert.equal(nodes.at(-1)!.path.length, 8192);
  assert.throws(() => merged([deep(8194)]), { code: 'LIMIT' });
  assert.throws(() => timed([[entryOf({ path: `${'a/'.repeat(1_000_000)}a` })]]), { code: 'LIMIT' });
  const link = [{ path: 's', type: 'symlink' as const, link: 'a/'.repeat(2000) }];
  assert.throws(() => merged([layerOf([...link, { path: `s/${'b/'.repeat(2500)}c` }])]), {
    code: 'LIMIT',
  });
});

test('missing parents that would fill the memory are LIMIT', () => {
  const layer = layerOf(many(200, (i) => ({ path: `${i}/${'a/'.repeat(4000)}a` })));
  assert.throws(() => timed([layer]), { code: 'LIMIT' });
});

test('chains and loops of symlinks end', () => {
  const chain = many(100_000, (i): EntryParts => ({ path: `l${i}`, type: 'symlink', link: `l${i + 1}` }));
  const nodes = timed([
    layerOf([...chain, { path: 'l100000', type: 'directory' }, { path: 'l99800/x' }, { path: 'l0/y' }]),
  ]);
  assert.ok(nodes.some((node) => node.path === 'l100000/x'));
  assert.ok(nodes.some((node) => node.path === 'l0/y'));
  const round = many(20_000, (i): EntryParts => ({ path: i % 2 ? `loop/x${i}/y` : `d${i % 7}/z${i}` }));
  timed([layerOf([{ path: 'loop', type: 'symlink', link: './loop' }, ...round])]);
  const long = { path: 's', type: 'symlink' as const, link: 'a/../'.repeat(200_000) };
  assert.equal(timed([layerOf([long, { path: 's/x' }])]).at(-1)!.path, 's/x'); // No unpacker can make that link.
});

test('links that lead every path a long way round are LIMIT', () => {
  const hops = many(
    250,
    (i): EntryParts => ({ path: `h${i}`, type: 'symlink', link: `${'./'.repeat(2000)}h${i + 1}` }),
  );
  const files = many(2000, (i): EntryParts => ({ path: `h${i % 2}/${i}` }));
  assert.throws(() => timed([layerOf([...hops, { path: 'h250', type: 'directory' }, ...files])]), {
    code: 'LIMIT',
  });
});

test('whiteouts cost no more than what they hide', () => {
  const count = 60_000;
  const lower = layerOf(many(count, (i) => ({ path: `d/${i}` })));
  const markers = many(count, () => ({ path: 'd/.wh..wh..opq' }));
  const single = many(count, (i) => ({ path: `d/.wh.${i}` }));
  assert.equal(
    timed([lower, layerOf([...many(count, (i) => ({ path: `d/n${i}` })), ...markers])]).length,
    count + 2,
  );
  assert.equal(timed([lower, layerOf(single), lower, layerOf(markers)]).length, 2);
  const nested = many(4000, (i) => ({ path: `${'d/'.repeat(4000 - i)}.wh..wh..opq` }));
  const files = many(count, (i) => ({ path: `${'d/'.repeat(4000)}${i}` }));
  assert.equal(timed([layerOf([...files.slice(0, 1000), ...nested])]).length, 5001);
});

test('hard links in long chains, forwards and backwards, are one inode', () => {
  const count = 100_000;
  const link = (i: number, to: number): EntryParts => ({ path: `l${i}`, type: 'hardlink', link: `l${to}` });
  const forwards = [{ path: 'l0' }, ...many(count, (i) => link(i + 1, i))];
  const backwards = [...many(count, (i) => link(i, i + 1)), { path: `l${count}` }];
  for (const lines of [forwards, backwards]) {
    const nodes = timed([layerOf(lines)]);
    assert.equal(new Set(nodes.slice(1).map((node) => node.nlink)).size, 1);
    assert.equal(nodes[1]!.nlink, count + 1);
  }
  const circle = many(count, (i) => link(i, (i + 1) % count));
  assert.ok(
    timed([layerOf(circle)])
      .slice(1)
      .every((node) => node.target === undefined),
  );
});

test('names such as __proto__ are names', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
  const nodes = merged([layerOf(names.map((path) => ({ path: `${path}/${path}` })))]);
  assert.equal(nodes.length, 9);
  assert.ok(nodes.some((node) => node.path === '__proto__/__proto__'));
});

test('entries whose positions do not fit the fast order are applied in order all the same', () => {
  const at = (path: string, position: number) =>
    entryOf({ path, position, type: path === 'd' ? 'directory' : 'file' });
  const far = 2 ** 52;
  for (const positions of [
    [far, far + 1],
    [1, 2],
    [far + 512, far + 1024],
  ]) {
    const layer = [at('a', positions[1]!), at('a', positions[0]!)].sort((a, b) => a.position - b.position);
    assert.deepEqual(merged([layer])[1]!.ref, { layer: 0, entry: 1 });
  }
});

test('200,000 entries in three layers merge in canonical order, each name once', () => {
  const layers = many(3, () => ({ path: '' })).map((_, layer) =>
    layerOf(
      many(66_000, (i) => ({
        path: `usr/lib${i % 97}/p${(i * 7919) % 1000}/f${(i * (layer + 1)) % 66_000}`,
      })),
    ),
  );
  const nodes = timed(layers);
  for (let i = 1; i < nodes.length; i++) assert.ok(comparePaths(nodes[i - 1]!.path, nodes[i]!.path) < 0);
});
