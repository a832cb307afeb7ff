import assert from 'node:assert/strict';
import test from 'node:test';
import { DEFINITIONS } from '../../src/cli/definitions.js';
import { EVERYWHERE } from '../../src/cli/everywhere.js';
import { envName, type Flags, flagName } from '../../src/cli/flags.js';
import { type Parsed, parseCommandLine } from '../../src/cli/program.js';
import { ClipError } from '../../src/errors.js';

function parse(line: string, env: NodeJS.ProcessEnv = {}, columns?: number): Parsed {
  const args = line === '' ? [] : line.split(' ');
  return parseCommandLine(args, { version: () => '1.2.3', columns: () => columns, env });
}

function run(line: string, env: NodeJS.ProcessEnv = {}): Extract<Parsed, { kind: 'run' }> {
  const parsed = parse(line, env);
  assert.equal(parsed.kind, 'run', line);
  return parsed as Extract<Parsed, { kind: 'run' }>;
}

function show(line: string): Extract<Parsed, { kind: 'show' }> {
  const parsed = parse(line);
  assert.equal(parsed.kind, 'show', line);
  return parsed as Extract<Parsed, { kind: 'show' }>;
}

function usage(line: string, message: RegExp, env: NodeJS.ProcessEnv = {}): ClipError {
  let caught: unknown;
  try {
    parse(line, env);
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof ClipError, `${line}: ${caught}`);
  assert.equal(caught.code, 'USAGE');
  assert.equal(caught.exitStatus, 2);
  assert.match(caught.message, message);
  return caught;
}

test('everywhere-flags stand before and after the command', () => {
  for (const line of [
    '--memory-cache 1M cat T /a',
    'cat --memory-cache 1M T /a',
    'cat T /a --memory-cache=1M',
  ]) {
    const { args, settings } = run(line);
    assert.deepEqual(args, ['T', '/a'], line);
    assert.equal(settings.memoryCache, 1 << 20, line);
  }
});

test('the help fits the terminal, and is never wider than it can be read', () => {
  const widest = (columns?: number) => {
    const parsed = parse('help cat', {}, columns);
    assert.equal(parsed.kind, 'show');
    const [text] = (parsed as { text: string }).text.split('\nExamples:');
    return Math.max(...text!.split('\n').map((line) => line.length));
  };
  for (const columns of [80, 90]) assert.ok(widest(columns) <= columns);
  assert.equal(widest(300), widest());
  assert.ok(widest() <= 100);
  const [flags] = (parse('--help', {}, 80) as { text: string }).text.split('\nExamples:');
  assert.ok(flags!.split('\n').every((line) => line.length <= 80));
});

test('flags, then variables, then defaults', () => {
  assert.equal(run('cat T /a').settings.diskCache, 10 * 1024 ** 3);
  assert.equal(run('cat T /a', { CLIP_DISK_CACHE: '5M' }).settings.diskCache, 5 << 20);
  assert.equal(run('cat T /a --disk-cache 6M', { CLIP_DISK_CACHE: '5M' }).settings.diskCache, 6 << 20);
  assert.equal(run('cat T /a', { CLIP_DISK_CACHE: '' }).settings.diskCache, 10 * 1024 ** 3);
  assert.equal(run('ls T', { CLIP_NO_CACHE: '1', CLIP_LONG: 'true' }).settings.noCache, true);
  assert.equal(run('ls T', { CLIP_NO_CACHE: '1', CLIP_LONG: 'true' }).flags.long, true);
  assert.equal(run('ls T', { CLIP_NO_CACHE: '0' }).settings.noCache, false);
});

test('the last of a repeated flag holds; a repeatable flag collects', () => {
  assert.equal(run('cat T /a --tries 2 --tries 5').settings.tries, 5);
  const { flags } = run('bench --file /a --file /b --strategy span --strategy naive');
  assert.deepEqual(flags.file, ['/a', '/b']);
  assert.deepEqual(flags.strategy, ['span', 'naive']);
});

test('bench has a --strategy of its own, which CLIP_STRATEGY does not set', () => {
  const { flags, settings } = run('bench --strategy naive', { CLIP_STRATEGY: 'layer' });
  assert.deepEqual(flags.strategy, ['naive']);
  assert.equal(settings.strategy, 'auto');
  assert.deepEqual(run('bench', { CLIP_STRATEGY: 'auto' }).flags.strategy, []);
  assert.equal(run('cat T /a', { CLIP_STRATEGY: 'layer' }).settings.strategy, 'layer');
});

test('gates take a strategy or hold for all; naive is never gated', () => {
  const { flags } = run(
    'bench --max-inflates 3 --max-inflates span=40 --min-hit-rate layer=98% --max-fetched-bytes 1K',
  );
  assert.deepEqual(flags.maxInflates, [
    { strategy: undefined, limit: 3 },
    { strategy: 'span', limit: 40 },
  ]);
  assert.deepEqual(flags.minHitRate, [{ strategy: 'layer', limit: 0.98 }]);
  assert.deepEqual(flags.maxFetchedBytes, [{ strategy: undefined, limit: 1024 }]);
  usage('bench --max-inflates naive=3', /naive is never gated/);
  usage('bench --min-hit-rate 1.5', /--min-hit-rate takes a rate/);
});

test('a wrong value names the flag or the variable and what it takes', () => {
  usage('cat T /a --memory-cache 5q', /^--memory-cache takes a size such as .*, not '5q'$/);
  usage('cat T /a', /^CLIP_MEMORY_CACHE takes a size .*, not '5q'$/, { CLIP_MEMORY_CACHE: '5q' });
  usage('cat T /a', /^CLIP_QUIET takes 1 or 0/, { CLIP_QUIET: 'perhaps' });
  usage(
    'cat T /a --remote-ttl 1000h',
    /^--remote-ttl takes a time from 1ms to 596h such as .*, not '1000h'$/,
  );
  usage('index T --spacing 1K', /^--spacing takes a size from 128KiB to 64MiB/);
  usage('cat T /a --offset -1', /^--offset takes a whole number of at least 0, not '-1'$/);
  usage('cat T /a --index sha256:12', /^--index takes auto, local, build or sha256:/);
  usage('cat T /a --platform linux', /^--platform takes a platform such as/);
  usage('cat T /a --stats yaml', /^--stats takes one of text, json, none, not 'yaml'$/);
  usage('cat T /a --cache-dir=', /^--cache-dir takes a DIR whose name is UTF-8, not ''$/);
});

test('near misses are named', () => {
  assert.equal(usage('cta T', /unknown command 'cta'/).hint, 'did you mean cat?');
  assert.equal(usage('help cta', /unknown command 'cta'/).hint, 'did you mean cat?');
  assert.equal(usage('cat T /a --memry-cache 1', /unknown option/).hint, 'did you mean --memory-cache?');
  assert.match(usage('cat T', /missing required argument 'path'/).hint ?? '', /clip cat --help/);
  usage('ls a b c', /too many arguments/);
  usage('cat T /a --stats', /argument missing/);
});

test('help and version are shown when asked for; no command shows the help as a mistake', () => {
  for (const line of ['--help', '-h', 'help']) assert.equal(show(line).asked, true, line);
  assert.equal(show('').asked, false);
  assert.match(show('--version').text, /^1\.2\.3$/m);
  for (const { name, summary, flags } of DEFINITIONS) {
    assert.ok(show('--help').text.includes(name), name);
    const { text, asked } = show(`${name} --help`);
    assert.equal(asked, true);
    assert.ok(text.toLowerCase().includes(summary.slice(0, 20).toLowerCase()), name);
    assert.ok(text.includes('Examples:'), name);
    for (const key of Object.keys(flags)) assert.ok(text.includes(`--${flagName(key)}`), `${name} ${key}`);
    for (const key of Object.keys(EVERYWHERE))
      assert.ok(text.includes(`--${flagName(key)}`), `${name} ${key}`);
    assert.equal(show(`help ${name}`).text, text);
  }
});

test('arguments that look like flags go behind --', () => {
  assert.deepEqual(run('cat T -- -x').args, ['T', '-x']);
  assert.deepEqual(run('ls -lR T').flags, { long: true, recursive: true, json: false });
});

test('letters stand in clusters, those of the command and those that hold everywhere', () => {
  for (const line of ['ls -lqR T', 'ls -qlR T', 'ls T -Rlq', '-q ls -lR T']) {
    const { flags, settings } = run(line);
    assert.deepEqual(flags, { long: true, recursive: true, json: false }, line);
    assert.equal(settings.quiet, true, line);
  }
  assert.match(show('ls -lh').text, /^Usage: clip ls/);
  assert.deepEqual(run('cat T -- -lq').args, ['T', '-lq']);
  usage('ls -lqx T', /unknown option '-/);
});

test('every flag can be told apart and has a variable of its own', () => {
  for (const definition of DEFINITIONS) {
    const flags: Flags = { ...EVERYWHERE, ...definition.flags };
    const names = Object.keys(flags).map(envName);
    assert.equal(new Set(names).size, names.length);
    const letters = Object.values(flags).flatMap((flag) => flag.short ?? []);
    assert.equal(new Set(letters).size, letters.length, definition.name);
  }
});
