// Holds the rooms apart: who may import whom (docs/architecture.md). A room imports only from rooms further right.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOMS = [
  'cli',
  'bench',
  'build',
  'read',
  'source',
  'cache',
  'http',
  'tar',
  'inflate',
  'format',
  'tree',
  'oci',
  'reference',
] as const;
/** Files right under src/ that every room may use; they import only each other. */
const BASE = 'base';
/** Rooms of one group may import to the right inside it only as far as this list says; all else is by group. */
const PURE = ['tar', 'tree', 'oci', 'reference', 'format', BASE];
const PURE_BUILTINS = ['node:crypto', 'node:zlib', 'node:util', 'node:buffer'];
/** Reads what came with the program. */
const READS_OWN = 'wasm.ts';

const src = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && name !== 'index.ts' && !dirname(name).endsWith('core'),
);

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  const found = text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g);
  return [...found].map((match) => match[1]!);
}

function roomOf(path: string): string {
  const [first, rest] = normalize(path).split('/', 2);
  return rest === undefined ? BASE : first!;
}

function rank(room: string): number {
  if (room === BASE) return ROOMS.length;
  const at = ROOMS.indexOf(room as (typeof ROOMS)[number]);
  assert.notEqual(at, -1, `src/${room} is not a known room: add it to docs/architecture.md and to this test`);
  return at;
}

test('the test sees the source files', () => {
  assert.ok(files.length > 20, `only ${files.length} files under ${src}`);
});

for (const file of files) {
  test(`imports of src/${file}`, () => {
    const room = roomOf(file);
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.')) {
        if (PURE.includes(room) && file !== READS_OWN && specifier.startsWith('node:')) {
          assert.ok(PURE_BUILTINS.includes(specifier), `pure room ${room} imports ${specifier}`);
        }
        if (room !== 'cli') {
          assert.ok(
            !/^(chalk|commander|cli-progress)/.test(specifier),
            `${room} imports ${specifier}: only cli prints`,
          );
        }
        continue;
      }
      const target = roomOf(join(dirname(file), specifier));
      if (target === room) continue;
      assert.ok(
        rank(target) > rank(room),
        `src/${file} (${room}) imports ${specifier} (${target}), which is on its left`,
      );
    }
  });
}

test('nothing but cli writes to the console or sets an exit status', () => {
  for (const file of files.filter((name) => roomOf(name) !== 'cli')) {
    const text = readFileSync(join(src, file), 'utf8');
    assert.doesNotMatch(text, /\bconsole\.|process\.(stdout|stderr|exit)/, file);
  }
});

test('no file imports itself by way of others, whatever it imports', () => {
  const targets = new Map<string, string[]>();
  for (const file of files) {
    const relative = importsOf(file).filter((specifier) => specifier.startsWith('.'));
    const paths = relative.map((specifier) =>
      normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts'),
    );
    targets.set(file, paths);
  }
  const done = new Set<string>();
  const follow = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file);
    assert.ok(start < 0, `a circle: ${[...way.slice(start), file].join(' → ')}`);
    if (done.has(file)) return;
    for (const target of targets.get(file) ?? []) follow(target, [...way, file]);
    done.add(file);
  };
  for (const file of files) follow(file, []);
});
