import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressLine } from '../../src/cli/output/progress.js';

const digest = `sha256:${'ab'.repeat(32)}`;
const task = { type: 'progress', task: digest, done: 50 << 20, total: 200 << 20, unit: 'bytes' } as const;

test('a bar with amounts, rate and the beginning of the digest', () => {
  assert.equal(
    progressLine(task, { columns: 100, seconds: 5 }),
    '━━━━━━──────────────────  50.0 MiB of 200.0 MiB  10.0 MiB/s  sha256:abababababab',
  );
});

test('a narrow terminal gets less of it, never a line that is cut or wrapped', () => {
  const at = (columns: number) => progressLine(task, { columns, seconds: 5 });
  assert.equal(at(72), '━━━━━━──────────────────  50.0 MiB of 200.0 MiB  sha256:abababababab');
  assert.equal(at(50), '50.0 MiB of 200.0 MiB  sha256:abababababab');
  assert.equal(at(30), '50.0 MiB of 200.0 MiB');
  for (let columns = 1; columns < 120; columns++) assert.ok(at(columns).length < columns, `${columns}`);
});

test('a task of unknown or empty total', () => {
  const line = (total: number | undefined) =>
    progressLine(
      {
        type: 'progress',
        task: 'bench naive',
        done: 0,
        unit: 'files',
        total,
      },
      { columns: 80, seconds: 0 },
    );
  assert.equal(line(undefined), '0  0/s  bench naive');
  assert.match(line(0), /^━{24} {9}0 of 0 /);
});

test('a count of layers has no rate', () => {
  const counted: Parameters<typeof progressLine>[0] = {
    type: 'progress',
    task: 'layers that another clip scans',
    done: 1,
    total: 3,
    unit: 'layers',
  };
  const line = progressLine(counted, { columns: 100, seconds: 5 });
  assert.match(line, /1 of 3 {2}layers that another clip scans$/);
});
