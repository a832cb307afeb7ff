import assert from 'node:assert/strict';
import test from 'node:test';
import { createLog, type Level } from '../../src/cli/output/log.js';
import type { ClipEvent } from '../../src/observer.js';

const layer = `sha256:${'ab'.repeat(32)}`;
const key = 'cd'.repeat(32);

const EVENTS: ClipEvent[] = [
  { type: 'lookup', unit: 'layer', outcome: 'miss', coalesced: false, layer, key: layer },
  { type: 'inflate-start', unit: 'layer', layer, key: layer },
  { type: 'inflate', unit: 'layer', layer, key: layer, bytes: 4096, seconds: 0.25 },
  { type: 'layer-cached', layer, bytes: 4096 },
  { type: 'lookup', unit: 'layer', outcome: 'memory', coalesced: true, layer, key: layer },
  { type: 'inflate-start', unit: 'span', layer, key },
  { type: 'inflate', unit: 'span', layer, key, bytes: 10, seconds: 0.5 },
  { type: 'lookup', unit: 'span', outcome: 'disk', coalesced: false, layer, key },
  { type: 'warning', code: 'DISK_FULL', message: 'going on without', hint: 'free some space' },
  { type: 'progress', task: 'x', done: 1, total: 2, unit: 'bytes' },
];

function logged(level: Level, format: 'text' | 'json', events = EVENTS): string[] {
  const lines: string[] = [];
  const clock = () => new Date(0);
  const log = createLog({ level, format, write: (line) => lines.push(line), clock });
  for (const event of events) log.emit(event);
  return lines;
}

test('info tells of inflating under the names that operators search for', () => {
  const records = logged('info', 'json').map((line) => JSON.parse(line));
  assert.ok(records.every((record) => record.type === 'log' && record.time === '1970-01-01T00:00:00.000Z'));
  assert.deepEqual(
    records.map(({ level, message }) => [level, message]),
    [
      ['info', 'decompressing layer (first access)'],
      ['info', 'layer decompression complete'],
      ['info', 'layer decompressed and cached'],
      ['info', 'decompressing span (first access)'],
      ['info', 'span decompression complete'],
      ['warn', 'going on without'],
    ],
  );
  const { digest, decompressed_bytes, duration_seconds } = records[1];
  assert.deepEqual(
    { digest, decompressed_bytes, duration_seconds },
    {
      digest: layer,
      decompressed_bytes: 4096,
      duration_seconds: 0.25,
    },
  );
  assert.equal(records[3].digest, `sha256:${key}`);
  assert.equal(records[3].layer, layer);
});

test('debug adds hits, inflate CPU and access counts', () => {
  const records = logged('debug', 'json').map((line) => JSON.parse(line));
  const named = (message: string) => records.filter((record) => record.message === message);
  assert.deepEqual(
    named('Layer access count').map(({ digest, access_count }) => [digest, access_count]),
    [
      [layer, 1],
      [layer, 2],
    ],
  );
  assert.deepEqual(
    named('Inflate CPU recorded').map(({ duration_seconds, total_seconds }) => [
      duration_seconds,
      total_seconds,
    ]),
    [
      [0.25, 0.25],
      [0.5, 0.75],
    ],
  );
  assert.equal(named('decompressed layer cache hit')[0]?.tier, 'memory');
  assert.equal(named('decompressed span cache hit')[0]?.tier, 'disk');
  assert.equal(named('Span access count')[0]?.access_count, 1);
});

test('the default level lets warnings through, error lets nothing', () => {
  assert.deepEqual(logged('warn', 'text'), [
    'clip: warning: going on without (DISK_FULL)\nhint: free some space\n',
  ]);
  assert.deepEqual(logged('error', 'text'), []);
});

test('text lines are one line each, whatever the fields hold', () => {
  const [line] = logged('debug', 'text', [
    { type: 'debug', message: 'seen', fields: { name: 'a\nb "c"', count: 3, plain: 'x' } },
  ]);
  assert.equal(line, '1970-01-01T00:00:00.000Z DEBUG seen name="a\\\\nb \\"c\\"" count=3 plain=x\n');
});
