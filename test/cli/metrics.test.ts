import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createMetrics } from '../../src/read/metrics.js';
import { bundled, clip, receiptOf, root, tempDir } from '../support/run-clip.js';

/** `name{labels}` → value of every sample; throws on a line that is neither a sample nor a comment. */
function samples(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of text.trimEnd().split('\n')) {
    if (/^# (HELP|TYPE) clip_[a-z_]+ /.test(line)) continue;
    const match = /^(clip_[a-z_]+(?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})?) ([0-9.e+-]+)$/.exec(line);
    assert.ok(match?.[1], line);
    found.set(match[1], Number(match[2]));
  }
  return found;
}

test('--metrics counts what the receipt counts, and is written whole', async (t) => {
  const cacheDir = await tempDir(t);
  const file = join(cacheDir, 'clip.prom');
  const args = ['cat', bundled, '/etc/os-release', '/nothing', '--metrics', file];
  const run = await clip([...args, '--stats', 'json'], { cacheDir });
  assert.equal(run.status, 3);
  const receipt = receiptOf(run);
  const metrics = samples(readFileSync(file, 'utf8'));
  const sum = (prefix: string) =>
    [...metrics].filter(([name]) => name.startsWith(prefix)).reduce((total, [, value]) => total + value, 0);
  assert.equal(sum('clip_reads_total'), receipt.reads);
  assert.equal(sum('clip_lookups_total'), receipt.lookups);
  assert.equal(sum('clip_layer_accesses_total'), receipt.lookups);
  assert.equal(sum('clip_inflates_total'), receipt.inflates);
  assert.equal(sum('clip_inflated_bytes_total'), receipt.inflatedBytes);
  assert.equal(metrics.get('clip_inflate_seconds_count{unit="span"}'), receipt.inflates);
  assert.equal(metrics.get('clip_inflate_seconds_bucket{unit="span",le="+Inf"}'), receipt.inflates);
  assert.equal(sum('clip_fetched_bytes_total'), receipt.fetchedBytes);
  assert.equal(sum('clip_requests_total'), receipt.requests);
  assert.equal(metrics.get('clip_errors_total{code="PATH_NOT_FOUND"}'), 1);
  assert.ok(sum('clip_scan_inflated_bytes_total') > 0);
  assert.deepEqual(
    readdirSync(cacheDir).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('metrics that cannot be written are an error, and the command has done its work', async (t) => {
  const cacheDir = await tempDir(t);
  const run = await clip(['cat', bundled, '/etc/os-release', '--metrics', '/dev/null/x'], { cacheDir });
  assert.equal(run.status, 1);
  assert.match(run.stdout.toString(), /Debian/);
  assert.match(run.stderr, /cannot write the metrics/);
});

test('a pipe that is named for the metrics is written to and stays what it is', async (t) => {
  const cacheDir = await tempDir(t);
  const fifo = join(cacheDir, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const reading = readFile(fifo, 'utf8');
  const run = await clip(['cat', bundled, '/etc/os-release', '--metrics', fifo], { cacheDir });
  assert.equal(run.status, 0, run.stderr);
  assert.match(await reading, /clip_reads_total 1/);
  assert.ok(lstatSync(fifo).isFIFO());
});

test('buckets are cumulative and labels are escaped', () => {
  const metrics = createMetrics();
  for (const seconds of [0.0005, 0.004, 100]) {
    metrics.emit({ type: 'inflate', unit: 'span', layer: 'l', key: 'k', bytes: 1, seconds });
  }
  metrics.error('A"B\\C\n');
  const text = metrics.text();
  assert.match(text, /clip_inflate_seconds_bucket\{unit="span",le="0.001"\} 1\n/);
  assert.match(text, /clip_inflate_seconds_bucket\{unit="span",le="0.005"\} 2\n/);
  assert.match(text, /clip_inflate_seconds_bucket\{unit="span",le="60"\} 2\n/);
  assert.match(text, /clip_inflate_seconds_count\{unit="span"\} 3\n/);
  assert.ok(text.includes('clip_errors_total{code="A\\"B\\\\C\\n"} 1'));
});

test('docs/cache.md names every metric', () => {
  const docs = readFileSync(join(root, 'docs/cache.md'), 'utf8');
  const names = [
    ...createMetrics()
      .text()
      .matchAll(/^# TYPE (clip_[a-z_]+) ([a-z]+)$/gm),
  ];
  assert.ok(names.length > 20);
  for (const [, name, type] of names) assert.match(docs, new RegExp(`\\| \`${name}\` +\\| ${type}`), name);
});
